"""Links made on the page of files, and used by somebody else's browser."""

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.pages.visiting import OpenVisit, Stored, Visit, made
from tests.serving import RunningServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


def share(server: RunningServer, **wish: Any) -> str:
    """The link that the interface makes of a wish."""
    request = urllib.request.Request(
        f"{server.url}/v1/shares", json.dumps(wish).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        url: str = json.load(answer)["url"]
    return url


async def link_made(visit: Visit) -> str:
    """Press the button of the dialog; answers the link that it shows then."""
    await visit.page.get_by_role("button", name="Make the link").click()
    link = visit.page.get_by_role("textbox", name="Link")
    await expect(link).to_have_value(re.compile("/s/"))
    assert await visit.axe() == []
    return await link.input_value()


async def test_a_file_is_shared_and_fetched_by_somebody_else(
    visit: Visit, visiting: OpenVisit, stored: Stored
) -> None:
    folder = stored({"film.bin": b"film" * 1000, "other.bin": b"x"})
    await visit.go(folder)
    await visit.tick("film.bin")
    await visit.page.get_by_role("button", name="Share", exact=True).click()
    await visit.page.get_by_label("Downloads").fill("2")
    assert await visit.axe() == []
    link = await link_made(visit)

    other = await visiting()
    await other.page.goto(link)

    await expect(other.page.get_by_role("heading", level=1)).to_have_text("film.bin")
    await expect(other.page.locator("#share-size")).to_have_text("4.00 kB")
    await expect(other.page.locator("#share-left")).to_have_text("2 downloads")
    assert await other.axe() == []
    async with other.page.expect_download() as started:
        await other.page.get_by_role("link", name="Download", exact=True).click()
    download = await started.value
    assert download.suggested_filename == "film.bin"
    assert (await download.path()).read_bytes() == b"film" * 1000
    assert visit.complaints == other.complaints == []


async def test_a_folder_is_shared_as_a_zip(
    visit: Visit, visiting: OpenVisit, stored: Stored
) -> None:
    folder = stored({"a.txt": b"one", "b.txt": b"two"})
    await visit.go(folder)
    await visit.page.get_by_role("button", name="Share folder").click()
    link = await link_made(visit)

    other = await visiting()
    await other.page.goto(link)

    await expect(other.page.get_by_text("2 files, as a ZIP")).to_be_visible()
    await expect(other.page.locator("#share-changes")).to_be_visible()
    async with other.page.expect_download() as started:
        await other.page.get_by_role("link", name="Download", exact=True).click()
    assert (await started.value).suggested_filename == f"{folder.rstrip('/')}.zip"


async def test_the_password_is_asked_for_first(
    visiting: OpenVisit, server: RunningServer, stored: Stored
) -> None:
    folder = stored({"a.txt": b"one"})
    other = await visiting(width=360, height=740)
    await other.page.goto(share(server, keys=[f"{folder}a.txt"], password="open sesame"))

    assert await other.axe() == []
    await other.page.get_by_label("Password").fill("open")
    await other.page.keyboard.press("Enter")
    await expect(other.page.get_by_role("alert")).to_have_text("That is not the password.")
    await other.page.get_by_label("Password").fill("open sesame")
    await other.page.keyboard.press("Enter")

    await expect(other.page.get_by_role("heading", level=1)).to_have_text("a.txt")
    async with other.page.expect_download() as started:
        await other.page.get_by_role("link", name="Download", exact=True).click()
    assert (await (await started.value).path()).read_bytes() == b"one"


async def test_a_link_that_has_ended_says_so(
    visiting: OpenVisit, server: RunningServer, stored: Stored
) -> None:
    folder = stored({"a.txt": b"one"})
    link = share(server, keys=[f"{folder}a.txt"], most=1)
    with urllib.request.urlopen(f"{link}/file") as answer:
        answer.read()
    other = await visiting(width=360, height=740, color_scheme="dark")

    answered = await other.page.goto(link)

    assert answered is not None
    assert answered.status == 410
    await expect(other.page.locator("#share-none-left")).to_be_visible()
    await expect(other.page.get_by_role("link", name="Download", exact=True)).to_be_hidden()
    assert await other.axe() == []
    await other.page.goto(link[:-4])
    await expect(other.page.get_by_role("heading", level=1)).to_have_text("There is nothing here")
    assert await other.axe() == []


async def test_nobody_else_learns_of_the_link(
    visiting: OpenVisit, server: RunningServer, stored: Stored
) -> None:
    folder = stored({"a.txt": b"one"})
    other = await visiting()
    await other.page.goto(share(server, keys=[f"{folder}a.txt"]))

    assert all(url.startswith(server.url) for url in other.requested)
    policy = await other.page.evaluate(
        "fetch(location).then(it => it.headers.get('Referrer-Policy'))"
    )
    assert policy == "no-referrer"


async def test_files_are_asked_for_and_put(
    visit: Visit, visiting: OpenVisit, stored: Stored, tmp_path: Path
) -> None:
    folder = stored({"photo.jpg": b"there before"})
    await visit.go(folder)
    await visit.page.get_by_role("button", name="Ask for files").click()
    await visit.page.get_by_label("What for").fill("Photos of the wedding")
    await visit.page.get_by_label("Files", exact=True).fill("3")
    assert await visit.axe() == []
    link = await link_made(visit)
    files = made(tmp_path, {"photo.jpg": b"a new one", "film.bin": bytes(3_000_000)})

    other = await visiting(width=360, height=740)
    await other.page.goto(link)
    await expect(other.page.get_by_role("heading", level=1)).to_have_text("Photos of the wedding")
    assert await other.axe() == []
    await other.add_files(files / "photo.jpg", files / "film.bin")
    await other.uploaded(2)

    await expect(other.page.locator("#share-left")).to_have_text("1 file")
    assert await other.axe() == []
    assert visit.content(f"{folder}photo.jpg") == b"there before"
    assert visit.content(f"{folder}photo (2).jpg") == b"a new one"
    assert visit.content(f"{folder}film.bin") == bytes(3_000_000)


async def test_an_empty_folder_can_be_asked_for_and_filled_on_a_desktop(
    visit: Visit, visiting: OpenVisit, tmp_path: Path
) -> None:
    await visit.go("nobody-was-here/")
    await visit.page.get_by_role("button", name="Ask for files").click()
    link = await link_made(visit)
    files = made(tmp_path, {"a.bin": b"1"})

    other = await visiting(width=1280)
    await other.page.goto(link)
    panel = other.page.get_by_role("article")
    before = await panel.bounding_box()
    await other.add_files(files / "a.bin")
    await other.uploaded(1)

    assert before is not None
    after = await panel.bounding_box()
    assert after is not None
    assert after["width"] == before["width"]
    assert visit.complaints == other.complaints == []


async def test_who_puts_files_asks_for_none(
    visiting: OpenVisit, server: RunningServer, stored: Stored, tmp_path: Path
) -> None:
    folder = stored({"a.bin": b"there before"})
    files = made(tmp_path, {"a.bin": b"a new one"})
    other = await visiting()
    await other.page.goto(share(server, kind="upload", prefix=folder))

    await other.add_files(files / "a.bin")
    await other.uploaded(1)

    assert not [url for url in other.requested if "/v1/files/" in url]


async def test_the_pages_need_no_more_room_than_a_phone_has(
    visiting: OpenVisit, server: RunningServer, stored: Stored
) -> None:
    folder = stored({f"{'long-name-' * 12}.bin": b"x"})
    other = await visiting(width=320, height=640)
    links = [
        share(server, prefixes=[folder], password="pw"),
        share(server, keys=[f"{folder}{'long-name-' * 12}.bin"]),
        share(server, kind="upload", prefix=folder, title="W" * 80),
    ]

    for link in links:
        await other.page.goto(link)
        wide = await other.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 320, link
