"""What can be done with a selection: ZIP, delete, all of it from the keyboard too."""

import io
import zipfile

import pytest
from playwright.async_api import Locator, Page, expect

from tests.pages.visiting import Stored, Visit

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _zip_after(page: Page, button: Locator) -> tuple[str, dict[str, bytes]]:
    """Name and content of the ZIP that pressing the button downloads."""
    async with page.expect_download() as started:
        await button.press("Enter")
    download = await started.value
    with zipfile.ZipFile(io.BytesIO((await download.path()).read_bytes())) as archive:
        assert archive.testzip() is None
        content = {name: archive.read(name) for name in archive.namelist()}
    return download.suggested_filename, content


async def test_a_selection_is_downloaded_as_a_zip(visit: Visit, stored: Stored) -> None:
    folder = stored({"a.txt": b"1", "b.txt": b"22", "c.txt": b"", "d/e/ö.txt": b"333"})
    await visit.go(folder)

    await visit.tick("a.txt", "c.txt", "d")
    await expect(visit.page.get_by_text("1 folder and 2 files selected")).to_be_visible()
    button = visit.page.get_by_role("button", name="Download ZIP")
    name, content = await _zip_after(visit.page, button)

    assert name == f"{folder.rstrip('/')}.zip"
    assert content == {"a.txt": b"1", "c.txt": b"", "d/e/ö.txt": b"333"}


async def test_the_zip_of_a_folder_bears_its_name(visit: Visit, stored: Stored) -> None:
    folder = stored({"photos/a.jpg": b"1", "photos/b.jpg": b"2"})
    await visit.go(f"{folder}photos/")

    button = visit.page.get_by_role("button", name="Download folder as ZIP")
    name, content = await _zip_after(visit.page, button)

    assert name == "photos.zip"
    assert content == {"photos/a.jpg": b"1", "photos/b.jpg": b"2"}


async def test_the_address_of_a_zip_can_be_fetched_again(visit: Visit, stored: Stored) -> None:
    folder = stored({"a.txt": b"1"})
    await visit.go(folder)
    await visit.tick("a.txt")
    await _zip_after(visit.page, visit.page.get_by_role("button", name="Download ZIP"))

    again = visit.page.get_by_role("link", name="Download again")
    _, content = await _zip_after(visit.page, again)

    assert content == {"a.txt": b"1"}


async def test_names_changed_in_the_zip_are_told(visit: Visit, stored: Stored) -> None:
    folder = stored({"what?.txt": b"1", "A.txt": b"2", "a.txt": b"3"})
    await visit.go(folder)
    await visit.page.get_by_role("checkbox", name="Select everything shown").check()

    button = visit.page.get_by_role("button", name="Download ZIP")
    _, content = await _zip_after(visit.page, button)
    await visit.page.locator("summary", has_text="names changed").click()

    told = await visit.page.locator(".notice details li").all_inner_texts()
    assert len(told) == len({"what?.txt", "A.txt", "a.txt"} - content.keys()) > 0
    assert all(line.split(" is now ")[1] in content for line in told)


async def test_shift_ticks_everything_between(visit: Visit, stored: Stored) -> None:
    folder = stored({f"{letter}.txt": b"1" for letter in "abcdef"})
    await visit.go(folder)

    await visit.page.get_by_role("checkbox", name="Select b.txt").click()
    await visit.page.get_by_role("checkbox", name="Select e.txt").click(modifiers=["Shift"])

    await expect(visit.page.get_by_text("4 files selected · 4 B")).to_be_visible()
    everything = visit.page.get_by_role("checkbox", name="Select everything shown")
    assert await everything.evaluate("box => box.indeterminate")


async def test_nothing_stays_selected_in_another_folder(visit: Visit, stored: Stored) -> None:
    folder = stored({"a/b.txt": b"1", "c.txt": b"2"})
    await visit.go(folder)
    await visit.tick("c.txt")

    await visit.page.get_by_role("link", name="a (folder)").click()
    await expect(visit.row("b.txt")).to_be_visible()

    await expect(visit.page.get_by_role("button", name="Delete")).to_be_hidden()


async def test_deleting_asks_and_can_be_declined(visit: Visit, stored: Stored) -> None:
    folder = stored({"keep.txt": b"1"})
    await visit.go(folder)
    await visit.tick("keep.txt")

    await visit.page.get_by_role("button", name="Delete").click()
    question = visit.page.get_by_role("dialog", name="Delete “keep.txt”?")
    await question.get_by_role("button", name="Keep").click()

    await expect(question).to_be_hidden()
    assert (visit.server.data / "files" / folder / "keep.txt").exists()


async def test_files_and_folders_are_deleted_after_a_yes(visit: Visit, stored: Stored) -> None:
    folder = stored({"a.txt": b"1", "b.txt": b"2", "c/d/e.txt": b"3", "c/f.txt": b"4"})
    await visit.go(folder)
    await visit.tick("a.txt", "c")

    await visit.page.get_by_role("button", name="Delete").click()
    question = visit.page.get_by_role("dialog", name="Delete 3 files?")
    await question.get_by_role("button", name="Delete 3 files").click()

    await expect(visit.page.get_by_text("3 files deleted").first).to_be_visible()
    await expect(visit.page.locator("#rows tr")).to_have_count(1)
    await visit.lists("b.txt")
    left = [path.name for path in (visit.server.data / "files" / folder).rglob("*.txt")]
    assert left == ["b.txt"]


async def test_everything_works_from_the_keyboard(visit: Visit, stored: Stored) -> None:
    folder = stored({"a.txt": b"1", "b.txt": b"2"})
    await visit.go(folder)
    keyboard = visit.page.keyboard

    await _tab_to(visit.page, "Select a.txt")
    await keyboard.press("ArrowDown")
    await keyboard.press("Space")
    await expect(visit.page.get_by_text("1 file selected")).to_be_visible()
    await _tab_to(visit.page, "Download ZIP", key="Shift+Tab")
    async with visit.page.expect_download() as started:
        await keyboard.press("Enter")

    content = (await (await started.value).path()).read_bytes()
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["b.txt"]


async def _tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """Press Tab until what has the focus bears the name; it must be visible as focused."""
    for _ in range(30):
        await page.keyboard.press(key)
        focused = page.locator(":focus")
        label = await focused.get_attribute("aria-label") or await focused.inner_text()
        if label.strip() == name:
            assert await focused.evaluate("it => getComputedStyle(it).outlineStyle") != "none"
            return
    raise AssertionError(f"{name} cannot be reached by {key}")
