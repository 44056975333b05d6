"""The examples of docs/how-to/library.md, run as they stand there."""

import importlib.util
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from zlib import crc32

import aiohttp
import httpx
import pytest
from aiohttp.test_utils import TestServer

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
PHOTOS = {"a.jpeg": os.urandom(100_000), "deep/b.jpeg": os.urandom(3_000_000), "empty": b""}


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / "examples" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unpacked(zipped: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_documentation_shows_the_code_that_is_tested(path: Path) -> None:
    shown = f"```python\n{path.read_text()}```\n"

    assert shown in (DOCS / "how-to" / "library.md").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in PHOTOS.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "photos"


@pytest.fixture
async def photos(folder: Path) -> AsyncIterator[str]:
    """The address of the aiohttp example's ZIP."""
    module = example("aiohttp_app")
    vars(module)["FOLDER"] = folder
    async with TestServer(module.app) as server:
        yield str(server.make_url("/photos.zip"))


async def get(url: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response, await response.read()


async def test_aiohttp_sends_a_zip_of_announced_length(photos: str) -> None:
    response, zipped = await get(photos)

    assert response.status == 200
    assert response.content_length == len(zipped)
    assert unpacked(zipped) == PHOTOS


async def test_aiohttp_goes_on_where_a_download_broke_off(photos: str) -> None:
    first, whole = await get(photos)

    second, rest = await get(photos, Range="bytes=50000-", **{"If-Range": first.headers["ETag"]})

    assert second.status == 206
    assert second.headers["Content-Range"] == f"bytes 50000-{len(whole) - 1}/{len(whole)}"
    assert rest == whole[50_000:]


@pytest.mark.parametrize(
    "headers",
    [{"Range": "bytes=50000-", "If-Range": '"another"'}, {"Range": "bytes=9999999999-"}],
    ids=["another version", "past the end"],
)
async def test_aiohttp_sends_the_whole_where_a_range_does_not_fit(
    photos: str, headers: dict[str, str]
) -> None:
    _, whole = await get(photos)

    response, body = await get(photos, **headers)

    assert (response.status, body) == (200, whole)


async def test_aiohttp_sends_the_whole_where_too_little_is_known_for_a_range(photos: str) -> None:
    response, body = await get(photos, Range="bytes=2000000-")

    assert response.status == 200
    assert unpacked(body) == PHOTOS


async def test_aiohttp_ends_the_connection_if_a_file_shrinks(photos: str, folder: Path) -> None:
    (folder / "huge").touch()
    os.truncate(folder / "huge", 100_000_000)  # more than the connection holds
    async with aiohttp.ClientSession() as session, session.get(photos) as response:
        await response.content.readexactly(10)
        os.truncate(folder / "huge", 5)
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_starlette_sends_a_zip_of_what_is_made_meanwhile() -> None:
    transport = httpx.ASGITransport(example("starlette_app").app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        response = await client.get("/reports.zip")

    found = unpacked(response.content)
    assert "content-length" not in response.headers
    assert list(found) == ["2024-01.csv", "2024-02.csv", "2024-03.csv"]
    assert found["2024-02.csv"].count(b"\n") == 50_000
    assert len(response.content) < sum(map(len, found.values())) / 2


def test_django_sends_a_zip_of_announced_length(folder: Path) -> None:
    """In a process of its own: Django's settings are global."""
    rows = [
        (name, len(content), crc32(content), 0, str(folder / name))
        for name, content in PHOTOS.items()
    ]
    code = f"""
import sys
import django
from django.conf import settings
settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF="django_app")
django.setup()
import django_app
from django.test import Client
django_app.ATTACHMENTS += [django_app.Attachment(*row) for row in {rows!r}]
response = Client().get("/attachments.zip")
body = response.getvalue()
assert response.status_code == 200 and response["Content-Length"] == str(len(body)), response
sys.stdout.buffer.write(body)
"""

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=DOCS / "examples", capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr.decode()
    assert unpacked(done.stdout) == PHOTOS
