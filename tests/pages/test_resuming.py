"""Uploads that go on: after a pause, a broken line, a killed server, a page loaded again."""

import random
import urllib.request
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.conftest import StartServer
from tests.eventually import eventually
from tests.pages.line import Line, line_to
from tests.pages.visiting import OpenVisit, Stored, Visit, made

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZE = 4_000_000
# What may pass twice: heads, and bytes that were not taken in yet when their connection broke.
SLACK = 600_000


def _bytes(seed: int, size: int = SIZE) -> bytes:
    return random.Random(seed).randbytes(size)


async def _part_way(visit: Visit, line: Line, file: Path, passing: int = 2_000_000) -> None:
    """Add a file and wait until so much of it has reached the server, and no more will."""
    line.hold_after(passing)
    await visit.add_files(file)
    assert await eventually(lambda: line.held, 30)


async def _let_go(visit: Visit, key: str) -> None:
    """Wait until the server has seen that nobody sends to a key any more."""
    assert await eventually(lambda: not any(one["active"] for one in visit.unfinished(key)), 30)


async def test_a_paused_upload_goes_on_where_it_was(far: Visit, line: Line, tmp_path: Path) -> None:
    content = _bytes(1)
    local = made(tmp_path, {"big.bin": content})
    await far.go("paused/")
    await _part_way(far, line, local / "big.bin")

    await far.press("Pause", "big.bin")
    await expect(far.upload("big.bin")).to_contain_text("Paused")
    await _let_go(far, "paused/big.bin")
    line.release()
    await far.press("Resume", "big.bin")
    await far.uploaded(1)

    assert far.content("paused/big.bin") == content
    assert line.offsets()[1] > 1_000_000
    assert line.passed < SIZE + SLACK


async def test_all_uploads_are_paused_and_resumed_together(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    names = [f"{number}.bin" for number in range(5)]
    local = made(tmp_path, {name: _bytes(2, 1_500_000) for name in names})
    await far.go("all-paused/")
    line.hold_after(1_200_000)  # too little for any of them to be whole
    await far.add_files(*(local / name for name in names))
    assert await eventually(lambda: line.held, 30)

    await far.page.get_by_role("button", name="Pause all").press("Enter")
    paused = far.page.locator('.upload[data-state="paused"]')
    await expect(paused).to_have_count(5)
    await expect(far.page.locator("#uploads-note")).to_contain_text("5\u00a0paused")
    resume = far.page.get_by_role("button", name="Resume all")
    await expect(resume).to_be_focused()
    for name in names:
        await _let_go(far, f"all-paused/{name}")
    line.release()
    await resume.press("Enter")

    await far.uploaded(5)
    assert line.passed < 5 * 1_500_000 + 3 * SLACK


async def test_a_broken_connection_is_taken_up_again_without_anybody(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    content = _bytes(3)
    local = made(tmp_path, {"big.bin": content})
    await far.go("broken/")
    await _part_way(far, line, local / "big.bin")

    line.cut()
    note = far.upload("big.bin").locator(".upload-note")
    await expect(note).to_contain_text("The connection was lost. Trying again in")
    await expect(far.page.locator("#announce")).to_contain_text("The connection is lost.")
    await _let_go(far, "broken/big.bin")
    line.release()

    await far.uploaded(1)
    assert far.content("broken/big.bin") == content
    assert line.offsets()[-1] > 1_000_000
    assert line.passed < SIZE + SLACK


async def test_files_arrive_whole_however_often_the_line_is_cut(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    contents = {f"{number}.bin": _bytes(30 + number, 3_000_000) for number in range(4)}
    local = made(tmp_path, contents)
    await far.go("cut-often/")
    line.hold_after(1_000_000)
    await far.add_files(*(local / name for name in contents))

    for _ in range(5):
        assert await eventually(lambda: line.held, 30)
        line.cut()
        line.release()
        line.hold_after(1_500_000)
    line.release()

    await far.uploaded(4)
    for name, content in contents.items():
        assert far.content(f"cut-often/{name}") == content


async def test_nobody_has_to_wait_for_the_next_try(far: Visit, line: Line, tmp_path: Path) -> None:
    local = made(tmp_path, {"big.bin": _bytes(4)})
    await far.go("hurried/")
    await _part_way(far, line, local / "big.bin")
    line.cut()
    # After some tries in vain the next one is far away.
    note = far.upload("big.bin").locator(".upload-note")
    await expect(note).to_contain_text("Trying again in 4 s", timeout=30_000)
    await _let_go(far, "hurried/big.bin")
    line.release()

    await far.press("Try now", "big.bin")

    await far.uploaded(1)
    assert line.passed < SIZE + SLACK


async def test_a_killed_server_that_comes_back_gets_the_rest(
    visiting: OpenVisit, start_server: StartServer, tmp_path: Path
) -> None:
    content = _bytes(5)
    local = made(tmp_path / "local", {"big.bin": content})
    server = start_server(tmp_path / "data")
    async with line_to(server.url) as line:
        far = await visiting(url=line.url)
        await far.go("killed/")
        await _part_way(far, line, local / "big.bin", 2_500_000)

        server.kill()
        note = far.upload("big.bin").locator(".upload-note")
        await expect(note).to_contain_text("The connection was lost.")
        far.server = start_server(tmp_path / "data", port=server.port)
        line.release()

        await far.uploaded(1)
        assert far.content("killed/big.bin") == content


async def test_a_page_loaded_again_after_the_server_was_killed_goes_on(
    visiting: OpenVisit, start_server: StartServer, tmp_path: Path
) -> None:
    content = _bytes(21)
    local = made(tmp_path / "local", {"big.bin": content})
    server = start_server(tmp_path / "data")
    async with line_to(server.url) as line:
        far = await visiting(url=line.url)
        await far.go("both/")
        await _part_way(far, line, local / "big.bin")

        server.kill()
        far.server = start_server(tmp_path / "data", port=server.port)
        await far.page.reload()
        await expect(far.upload("big.bin")).to_contain_text("Interrupted", timeout=30_000)
        line.release()
        await far.add_files(local / "big.bin")

        await far.uploaded(1)
        assert far.content("both/big.bin") == content
        await expect(far.page.locator(".upload")).to_have_count(1)


async def test_a_page_loaded_again_goes_on_with_the_file_chosen_again(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    content = _bytes(6)
    local = made(tmp_path, {"big.bin": content})
    await far.go("reloaded/")
    await _part_way(far, line, local / "big.bin")

    await far.page.reload()
    row = far.upload("big.bin")
    await expect(row).to_contain_text("choose the file again to go on", timeout=30_000)
    before = line.passed
    line.release()
    await far.add_files(local / "big.bin")
    await far.uploaded(1)

    assert far.content("reloaded/big.bin") == content
    assert line.passed - before < SIZE - 1_000_000
    assert await far.page.evaluate("localStorage.length") == 0
    await expect(far.page.locator(".upload")).to_have_count(1)


async def test_an_interrupted_upload_asks_for_its_own_file(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    content = _bytes(7)
    local = made(tmp_path, {"big.bin": content, "other/big.bin": _bytes(8, SIZE - 1)})
    await far.go("asked/deep/")
    await _part_way(far, line, local / "big.bin")
    await far.go("")
    await expect(far.upload("asked/deep/big.bin")).to_contain_text("Interrupted", timeout=30_000)
    before = line.passed
    line.release()

    await _choose(far.page, local / "other/big.bin")
    await expect(far.page.locator(".notice.bad")).to_contain_text("This is not the big.bin")
    await _choose(far.page, local / "big.bin")
    await far.uploaded(1)

    assert far.content("asked/deep/big.bin") == content
    assert line.passed - before < SIZE - 1_000_000


async def _choose(page: Page, file: Path) -> None:
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name=f"Choose {file.name}").click()
    await (await chooser.value).set_files(file)


async def test_another_file_of_the_same_name_and_size_is_not_mixed_in(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    local = made(tmp_path, {"big.bin": _bytes(9)})
    await far.go("changed/")
    await _part_way(far, line, local / "big.bin")
    await far.page.reload()
    await expect(far.upload("big.bin")).to_contain_text("Interrupted", timeout=30_000)
    line.release()

    content = _bytes(10)
    (local / "big.bin").write_bytes(content)
    await far.add_files(local / "big.bin")
    await far.uploaded(1)

    assert far.content("changed/big.bin") == content
    assert line.offsets()[-1] == 0
    await expect(far.page.locator('.upload[data-state="interrupted"]')).to_have_count(1)


async def test_the_same_file_to_another_place_begins_anew(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    content = _bytes(11)
    local = made(tmp_path, {"big.bin": content})
    await far.go("one-place/")
    await _part_way(far, line, local / "big.bin")
    await far.go("other-place/")
    await expect(far.upload("one-place/big.bin")).to_contain_text("Interrupted", timeout=30_000)
    line.release()

    await far.add_files(local / "big.bin")
    await far.uploaded(1)

    assert far.content("other-place/big.bin") == content
    assert line.offsets()[-1] == 0
    await expect(far.upload("one-place/big.bin")).to_contain_text("Interrupted")


async def test_what_is_discarded_is_gone_from_the_server(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    local = made(tmp_path, {"big.bin": _bytes(12)})
    await far.go("discarded/")
    await _part_way(far, line, local / "big.bin")
    await far.page.reload()
    await expect(far.upload("big.bin")).to_contain_text("Interrupted", timeout=30_000)
    assert len(far.unfinished("discarded/big.bin")) == 1

    await far.press("Discard", "big.bin")

    await expect(far.page.locator("#uploads")).to_be_hidden()
    await expect(far.page.get_by_role("button", name="Add files")).to_be_focused()
    assert await eventually(lambda: far.unfinished("discarded/big.bin") == [], 30)
    await far.page.reload()
    await far.shown()
    assert await far.page.evaluate("localStorage.length") == 0


async def test_a_file_that_changes_while_paused_is_not_sent_on(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    local = made(tmp_path, {"big.bin": _bytes(13)})
    await far.go("rewritten/")
    await _part_way(far, line, local / "big.bin")
    await far.press("Pause", "big.bin")
    await expect(far.upload("big.bin")).to_contain_text("Paused")
    line.release()

    (local / "big.bin").write_bytes(_bytes(14))
    await far.press("Resume", "big.bin")

    await expect(far.upload("big.bin")).to_contain_text("it was changed, moved or removed")
    assert await eventually(lambda: far.unfinished("rewritten/big.bin") == [], 30)
    await expect(far.page.get_by_role("button", name="Retry big.bin")).to_have_count(0)


async def _cut_for_long(visit: Visit, line: Line) -> None:
    """Until the page says so; before that the browser itself sends again what got no answer."""
    line.cut()
    await expect(visit.upload("big.bin")).to_contain_text("The connection was lost")
    line.release()


async def test_a_success_whose_answer_got_lost_is_found_out(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    content = _bytes(15)
    local = made(tmp_path, {"big.bin": content})
    await far.go("lost-success/")
    await _part_way(far, line, local / "big.bin")
    line.mute = True
    line.room = None
    assert await eventually(lambda: far.unfinished("lost-success/big.bin") == [], 30)

    await _cut_for_long(far, line)

    await far.uploaded(1)
    assert far.content("lost-success/big.bin") == content
    assert line.passed < SIZE + SLACK


async def test_a_failure_whose_answer_got_lost_is_not_taken_for_success(
    far: Visit, line: Line, stored: Stored, tmp_path: Path
) -> None:
    local = made(tmp_path, {"big.bin": _bytes(16)})
    folder = stored({})
    await far.go(folder)
    await _part_way(far, line, local / "big.bin")
    stored({"big.bin": b"theirs"})
    line.mute = True
    line.room = None
    assert await eventually(lambda: far.unfinished(f"{folder}big.bin") == [], 30)

    await _cut_for_long(far, line)

    await expect(far.upload("big.bin")).to_contain_text("is stored here already")
    assert far.content(f"{folder}big.bin") == b"theirs"
    assert line.passed < SIZE + SLACK


async def test_a_small_file_takes_one_request(far: Visit, line: Line, tmp_path: Path) -> None:
    local = made(tmp_path, {"a.txt": b"a", "empty": b"", "mebibyte.bin": _bytes(17, 1 << 20)})
    await far.go("small/")

    await far.add_files(*(local / name for name in ("a.txt", "empty", "mebibyte.bin")))
    await far.uploaded(3)

    assert far.content("small/empty") == b""
    assert far.content("small/mebibyte.bin") == _bytes(17, 1 << 20)
    sent = [head.split()[0] for head in line.heads if " /v1/uploads" in head]
    assert sent == ["POST"] * 3


async def test_a_small_file_whose_answer_got_lost_is_found_to_be_there(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    local = made(tmp_path, {"small.txt": b"once"})
    await far.go("lost-small/")
    line.mute = True
    # Asking whether the name is taken has to be answered.
    await far.page.route("**/v1/files?**", lambda route: route.fulfill(json={"files": []}))
    await far.add_files(local / "small.txt")
    stored = far.server.data / "files/lost-small/small.txt"
    assert await eventually(stored.exists, 30)

    line.cut()
    line.release()

    await far.uploaded(1)
    assert len([head for head in line.heads if head.startswith("POST")]) > 1


async def test_another_tab_leaves_alone_what_this_one_sends(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    local = made(tmp_path, {"big.bin": _bytes(18)})
    await far.go("two-tabs/")
    await _part_way(far, line, local / "big.bin")
    other = Visit(await far.page.context.new_page(), far.server, line.url)

    async with other.page.expect_response("**/v1/uploads?key=**"):
        await other.go("two-tabs/")
    async with other.page.expect_response("**/v1/uploads?key=**"):
        pass  # it looks again, for it might have been its own before a reload

    await expect(other.page.locator(".upload")).to_have_count(0)
    line.release()
    await far.uploaded(1)
    assert line.offsets() == [0]


async def test_who_is_taken_over_does_not_fight_back(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    local = made(tmp_path, {"big.bin": _bytes(19)})
    await far.go("taken-over/")
    await _part_way(far, line, local / "big.bin")

    [upload] = far.unfinished("taken-over/big.bin")
    offset = _offset(f"{far.server.url}{upload['url']}")

    await expect(far.upload("big.bin")).to_have_attribute("data-state", "paused")
    line.release()
    await far.press("Resume", "big.bin")
    await far.uploaded(1)
    assert line.offsets() == [0, offset]


def _offset(url: str) -> int:
    """Where the server says to go on, which it can say only if nobody else does."""
    fields = {"Tus-Resumable": "1.0.0"}
    request = urllib.request.Request(url, method="HEAD", headers=fields)
    with urllib.request.urlopen(request) as answer:
        return int(answer.headers["Upload-Offset"])


async def test_a_connection_that_has_died_in_silence_is_given_up(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    content = _bytes(20)
    local = made(tmp_path, {"big.bin": content})
    await far.page.clock.install()
    await far.go("silent/")
    await _part_way(far, line, local / "big.bin")
    line.strand()
    line.release()

    await far.page.clock.fast_forward("02:10")

    await far.uploaded(1)
    assert far.content("silent/big.bin") == content
    assert len(line.offsets()) == 2


async def test_hostile_names_are_text_when_they_come_back_too(far: Visit, line: Line) -> None:
    name = "<img src=x onerror=alert(1)>\u202egpj %2F..%00 \"'`.exe"
    await far.go("hostile/")
    line.hold_after(2_000_000)
    await _drop(far.page, name, SIZE)
    assert await eventually(lambda: line.held, 30)
    await far.page.reload()
    row = far.page.locator(".upload")
    await expect(row).to_contain_text("Interrupted", timeout=30_000)

    assert await row.locator(".upload-name").text_content() == f"hostile/{name}"
    assert await far.page.locator("#uploads img").count() == 0
    line.release()
    await _drop(far.page, name, SIZE)
    await far.uploaded(1)
    assert far.content(f"hostile/{name}") == bytes(SIZE)
    assert line.offsets()[-1] > 1_000_000


@pytest.mark.parametrize("name", ["..", "../up.txt"])
async def test_a_name_that_leads_out_of_the_folder_leads_nowhere(far: Visit, name: str) -> None:
    await far.go("below/deep/")

    await _drop(far.page, name, 10)

    await expect(far.page.locator(".upload")).to_have_attribute("data-state", "failed")
    await expect(far.page.get_by_role("button", name="Retry")).to_have_count(0)


async def _drop(page: Page, name: str, size: int) -> None:
    """Drop a file of zeros; always the same one."""
    await page.evaluate(
        """([name, size]) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(size)], name, {lastModified: 1e12}));
            const drop = new DragEvent("drop", {dataTransfer: carried, bubbles: true});
            document.querySelector("h1").dispatchEvent(drop);
        }""",
        [name, size],
    )


async def test_the_type_that_the_browser_knows_is_kept(visit: Visit, tmp_path: Path) -> None:
    local = made(tmp_path, {"page.html": b"<p>", "big.png": bytes(1_500_000), "unknown.zzz": b"1"})
    await visit.go("typed/")

    await visit.add_files(*(local / name for name in ("page.html", "big.png", "unknown.zzz")))
    await visit.uploaded(3)

    assert visit.stored_as("typed/page.html")["content_type"] == "text/html"
    assert visit.stored_as("typed/big.png")["content_type"] == "image/png"
