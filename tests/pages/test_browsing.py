"""Looking around: folders, breadcrumbs, the address, and the states of a listing."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Route, expect

from tests.pages.visiting import Stored, Visit

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_folder_lists_folders_first_then_files_with_size_and_time(
    visit: Visit, stored: Stored
) -> None:
    folder = stored({"b.txt": b"x" * 1500, "a.txt": b"", "zebra/inside.txt": b"1"})

    await visit.go(folder)

    await visit.lists("zebra", "a.txt", "b.txt")
    await expect(visit.row("b.txt")).to_contain_text("1.50 kB")
    modified = await visit.row("a.txt").locator("time").get_attribute("datetime")
    assert modified is not None
    age = datetime.now(UTC) - datetime.fromisoformat(modified)
    assert timedelta(0) <= age < timedelta(minutes=5)


async def test_into_a_folder_and_back(visit: Visit, stored: Stored) -> None:
    folder = stored({"photos/2024/a b#1.jpg": b"1", "note.txt": b"2"})
    await visit.go(folder)

    await visit.page.get_by_role("link", name="photos (folder)").click()
    await visit.page.get_by_role("link", name="2024 (folder)").click()
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("2024")
    await visit.lists("a b#1.jpg")

    await visit.page.go_back()
    await visit.page.go_back()
    await expect(visit.row("note.txt")).to_be_visible()


async def test_breadcrumbs_lead_to_every_folder_above(visit: Visit, stored: Stored) -> None:
    folder = stored({"photos/2024/a.jpg": b"1"})
    await visit.go(f"{folder}photos/2024/")

    crumbs = visit.page.get_by_role("navigation", name="Folders above")
    assert await crumbs.get_by_role("link").all_inner_texts() == [
        "All files",
        folder.rstrip("/"),
        "photos",
    ]
    await crumbs.get_by_role("link", name="photos").click()

    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("photos")
    await visit.lists("2024")


async def test_the_folder_survives_a_reload(visit: Visit, stored: Stored) -> None:
    folder = stored({"100% sure?/ü & ö.txt": b"1"})
    await visit.go(folder)
    await visit.page.get_by_role("link", name="100% sure? (folder)").click()
    await expect(visit.row("ü & ö.txt")).to_be_visible()

    await visit.page.reload()

    await expect(visit.row("ü & ö.txt")).to_be_visible()
    await expect(visit.page).to_have_title("100% sure? · Penstock")


async def test_a_long_folder_is_shown_page_by_page(visit: Visit, stored: Stored) -> None:
    folder = stored({f"{number:04}.txt": b"" for number in range(1003)})
    await visit.go(folder)
    rows = visit.page.locator("#rows tr")
    await expect(rows).to_have_count(1000)

    await visit.page.get_by_role("button", name="Load more").click()

    await expect(rows).to_have_count(1003)
    await expect(visit.row("1000.txt").get_by_role("link")).to_be_focused()
    await expect(visit.page.get_by_role("button", name="Load more")).to_be_hidden()


async def test_an_empty_folder_says_what_to_do(visit: Visit) -> None:
    await visit.go("nobody-was-here/")

    await expect(visit.page.get_by_text("Nothing in this folder")).to_be_visible()
    await expect(visit.page.get_by_role("table")).to_be_hidden()


async def test_a_folder_that_cannot_be_listed_says_why_and_can_be_tried_again(
    visit: Visit, stored: Stored
) -> None:
    folder = stored({"a.txt": b"1"})
    await visit.page.route("**/v1/files?**", _unplugged)
    await visit.go(folder)
    await expect(visit.page.locator("#state-error")).to_contain_text("cannot be reached")

    await visit.page.unroute("**/v1/files?**")
    await visit.page.get_by_role("button", name="Try again").click()

    await expect(visit.row("a.txt")).to_be_visible()


async def _unplugged(route: Route) -> None:
    await route.abort("connectionrefused")


async def test_what_the_server_says_against_a_folder_is_shown(visit: Visit) -> None:
    await visit.go("a/../b/")

    await expect(visit.page.locator("#state-error")).to_contain_text("has a '..' segment")


async def test_names_are_text_whatever_is_in_them(visit: Visit, stored: Stored) -> None:
    name = "<img src=x onerror=alert(1)>\u202egpj.exe"
    folder = stored({name: b"1"})

    await visit.go(folder)

    await visit.lists(name)
    assert await visit.page.locator("#rows img").count() == 0


async def test_a_file_is_downloaded_by_its_name(visit: Visit, stored: Stored) -> None:
    folder = stored({"résumé, final.txt": b"all of it"})
    await visit.go(folder)

    async with visit.page.expect_download() as started:
        await visit.page.get_by_role("link", name="résumé, final.txt (download)").click()

    download = await started.value
    assert download.suggested_filename == "résumé, final.txt"
    assert (await download.path()).read_bytes() == b"all of it"
