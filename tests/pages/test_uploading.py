"""Bringing files in: by the buttons and by dropping."""

import json
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from tests.eventually import eventually
from tests.pages.line import Line
from tests.pages.visiting import Stored, Visit, made

pytestmark = pytest.mark.asyncio(loop_scope="module")

UPLOADS = "**/v1/uploads"


async def test_two_chosen_files_arrive_and_are_listed(visit: Visit, tmp_path: Path) -> None:
    local = made(tmp_path, {"a.bin": bytes(range(256)) * 5000, "b c.txt": b"hello"})
    await visit.go("two-files/")

    await visit.add_files(local / "a.bin", local / "b c.txt")
    await visit.uploaded(2)

    await expect(visit.row("a.bin")).to_contain_text("1.28 MB")
    await expect(visit.row("b c.txt")).to_be_visible()
    assert visit.content("two-files/a.bin") == bytes(range(256)) * 5000
    assert visit.content("two-files/b c.txt") == b"hello"


async def test_a_folder_arrives_with_its_folders(visit: Visit, tmp_path: Path) -> None:
    local = made(tmp_path / "album", {"top.txt": b"1", "2024/ä.txt": b"2", "2024/may/x": b""})
    await visit.go("folders/")

    await visit.add_folder(local)
    await visit.uploaded(3)

    await expect(visit.row("album")).to_be_visible()
    assert visit.content("folders/album/2024/ä.txt") == b"2"
    assert visit.content("folders/album/2024/may/x") == b""


async def test_files_may_be_dropped_anywhere(visit: Visit) -> None:
    await visit.go("dropped/")

    await visit.page.evaluate("""() => {
        const carried = new DataTransfer();
        carried.items.add(new File(["dropped content"], "dropped.txt"));
        const drop = new DragEvent("drop", {dataTransfer: carried, bubbles: true});
        document.querySelector("h1").dispatchEvent(drop);
    }""")
    await visit.uploaded(1)

    assert visit.content("dropped/dropped.txt") == b"dropped content"


async def test_progress_is_shown_while_a_file_is_sent(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    # More than the buffers on the way take at once, or all of it would be gone in no time.
    local = made(tmp_path, {"slow.bin": bytes(30_000_000)})
    await far.go("progress/")
    line.rate = 2_000_000

    await far.add_files(local / "slow.bin")

    note = far.upload("slow.bin").locator(".upload-note")
    await expect(note).to_contain_text("of 30.0 MB")
    await expect(note).to_contain_text("/s")
    await expect(note).to_contain_text("left")
    bar = far.page.get_by_role("progressbar", name="slow.bin")
    done = int(await bar.get_attribute("aria-valuenow") or -1)
    assert 0 <= done < 100


async def test_at_most_three_files_are_sent_at_once(far: Visit, line: Line, tmp_path: Path) -> None:
    files = {f"{number}.bin": bytes(1_500_000) for number in range(5)}
    local = made(tmp_path, files)
    await far.go("three/")
    line.hold_after(100_000)

    await far.add_files(*(local / name for name in files))

    await expect(far.page.locator('.upload[data-state="sending"]')).to_have_count(3)
    await expect(far.page.locator('.upload[data-state="waiting"]')).to_have_count(2)
    line.release()
    await far.uploaded(5)


async def test_a_cancelled_upload_leaves_nothing_and_can_be_retried(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    local = made(tmp_path, {"big.bin": bytes(2_000_000)})
    await far.go("cancelled/")
    line.hold_after(500_000)
    await far.add_files(local / "big.bin")
    assert await eventually(lambda: line.held, 30)

    await far.press("Cancel", "big.bin")
    await expect(far.upload("big.bin")).to_contain_text("Cancelled")
    assert await eventually(lambda: far.unfinished("cancelled/big.bin") == [], 30)
    await far.go("cancelled/")
    await far.lists()
    await expect(far.page.locator(".upload")).to_have_count(0)

    line.hold_after(500_000)
    await far.add_files(local / "big.bin")
    assert await eventually(lambda: line.held, 30)
    await far.press("Cancel", "big.bin")
    line.release()
    await far.press("Retry", "big.bin")
    await far.uploaded(1)
    assert far.content("cancelled/big.bin") == bytes(2_000_000)


async def test_a_failed_upload_says_why_and_can_be_retried(visit: Visit, tmp_path: Path) -> None:
    local = made(tmp_path, {"unlucky.txt": b"second try"})
    await visit.go("failed/")
    await visit.page.route(UPLOADS, _full)
    await visit.add_files(local / "unlucky.txt")
    await expect(visit.page.get_by_text("No space is left: delete something.")).to_be_visible()

    await visit.page.unroute(UPLOADS)
    await visit.page.get_by_role("button", name="Retry unlucky.txt").click()
    await visit.uploaded(1)

    assert visit.content("failed/unlucky.txt") == b"second try"


async def _full(route: Route) -> None:
    problem = {"code": "storage-full", "detail": "no space is left: delete something"}
    await route.fulfill(
        status=507, content_type="application/problem+json", body=json.dumps(problem)
    )


async def test_a_busy_server_is_asked_again(visit: Visit, tmp_path: Path) -> None:
    local = made(tmp_path, {"patient.txt": b"1"})
    await visit.go("busy/")
    refusals: list[Route] = []

    async def busy_once(route: Route) -> None:
        if refusals:
            await route.continue_()
            return
        refusals.append(route)
        await route.fulfill(
            status=503,
            headers={"Retry-After": "1", "Content-Type": "application/problem+json"},
            body=json.dumps({"code": "busy", "detail": "too many transfers"}),
        )

    await visit.page.route(UPLOADS, busy_once)
    await visit.add_files(local / "patient.txt")
    await visit.uploaded(1)

    assert len(refusals) == 1


async def test_a_key_that_the_server_refuses_is_explained(visit: Visit, tmp_path: Path) -> None:
    local = made(tmp_path / ".penstock", {"x.txt": b"1"})
    await visit.go("")

    await visit.add_folder(local)

    await expect(visit.page.locator(".upload-note")).to_contain_text("which is reserved")
    await expect(visit.page.get_by_role("button", name="Retry")).to_have_count(0)


async def test_existing_files_are_replaced_only_after_a_yes(
    visit: Visit, stored: Stored, tmp_path: Path
) -> None:
    folder = stored({"old.txt": b"old"})
    local = made(tmp_path, {"old.txt": b"new", "fresh.txt": b"fresh"})
    await visit.go(folder)
    question = visit.page.get_by_role("dialog", name="Replace 1 existing file?")

    await visit.add_files(local / "old.txt", local / "fresh.txt")
    await expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    await question.get_by_role("button", name="Only the new one").click()
    await visit.uploaded(1)
    assert visit.content(f"{folder}old.txt") == b"old"

    await visit.add_files(local / "old.txt")
    await question.get_by_role("button", name="Replace it").click()
    await visit.uploaded(2)
    assert visit.content(f"{folder}old.txt") == b"new"


async def test_existing_files_in_an_added_folder_are_noticed(
    visit: Visit, stored: Stored, tmp_path: Path
) -> None:
    folder = stored({"album/a/1.txt": b"old", "album/b.txt": b"old"})
    local = made(tmp_path / "album", {"a/1.txt": b"new", "a/2.txt": b"new", "b.txt": b"new"})
    await visit.go(folder)

    await visit.add_folder(local)
    await visit.page.get_by_role("dialog", name="Replace 2 existing files?").press("Escape")

    await expect(visit.page.get_by_role("dialog")).to_have_count(0)
    assert visit.content(f"{folder}album/b.txt") == b"old"
    assert await visit.page.locator(".upload").count() == 0


async def test_a_file_stored_by_someone_else_meanwhile_is_not_overwritten(
    visit: Visit, stored: Stored, tmp_path: Path
) -> None:
    local = made(tmp_path, {"raced.txt": b"mine"})
    folder = stored({})
    await visit.go(folder)

    async def other_first(route: Route) -> None:
        stored({"raced.txt": b"theirs"})
        await route.continue_()

    await visit.page.route(UPLOADS, other_first, times=1)
    await visit.add_files(local / "raced.txt")
    await expect(visit.page.locator(".upload-note")).to_contain_text("is stored here already")
    assert visit.content(f"{folder}raced.txt") == b"theirs"

    await visit.page.get_by_role("button", name="Replace raced.txt").click()
    await visit.uploaded(1)
    assert visit.content(f"{folder}raced.txt") == b"mine"


async def test_a_folder_of_many_files_keeps_the_page_small(visit: Visit, tmp_path: Path) -> None:
    local = made(tmp_path / "many", {f"{number}.txt": b"1" for number in range(150)})
    await visit.go("many-files/")

    await visit.add_folder(local)
    await expect(visit.page.locator("#uploads-note")).to_contain_text(
        "150 of 150 files", timeout=60_000
    )

    assert await visit.page.locator(".upload").count() <= 60
    await expect(visit.page.locator("#uploads-before")).to_have_text("90 before these")
