"""A file's content type: as it was given, else as its first bytes show, else by its name."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from tests import samples
from tests.server import tus_speaking as tus
from tests.server.conftest import Api

Way = Callable[[Api, str, bytes, str], Awaitable[str]]


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    """In pieces that are smaller than what is looked at."""
    for at in range(0, len(data), 10):
        yield data[at : at + 10]


def _headers(content_type: str) -> dict[str, str]:
    return {"Content_Type": content_type} if content_type else {}


async def put(api: Api, name: str, data: bytes, content_type: str) -> str:
    path = f"/v1/files/put/{name}"
    await api.call("PUT", path, io.BytesIO(data), **_headers(content_type))
    return path


async def put_chunked(api: Api, name: str, data: bytes, content_type: str) -> str:
    path = f"/v1/files/chunked/{name}"
    await api.call("PUT", path, _pieces(data), **_headers(content_type))
    return path


async def _post_form(api: Api, path: str, name: str, data: bytes, content_type: str) -> str:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("file", data, filename=name, content_type=content_type or None)
    response, _ = await api.call("POST", path, form)
    assert response.status in (200, 201)
    return response.headers.get("Location", f"/v1/files/{name}")


async def post_form(api: Api, name: str, data: bytes, content_type: str) -> str:
    return await _post_form(api, "/v1/files", name, data, content_type)


async def api_upload(api: Api, name: str, data: bytes, content_type: str) -> str:
    return await _post_form(api, "/api/upload", name, data, content_type)


async def file_upload(api: Api, name: str, data: bytes, content_type: str) -> str:
    return await _post_form(api, "/file-upload", name, data, content_type)


async def upload(api: Api, name: str, data: bytes, content_type: str) -> str:
    response, _ = await api.call(
        "POST", "/upload", data, X_File_Name=name, **_headers(content_type)
    )
    return response.headers["Location"]


async def stream_upload(api: Api, name: str, data: bytes, content_type: str) -> str:
    response, _ = await api.call("POST", "/stream-upload", _pieces(data), **_headers(content_type))
    return response.headers["Location"]


async def resumable(api: Api, name: str, data: bytes, content_type: str) -> str:
    told = {"filetype": content_type} if content_type else {}
    named = tus.metadata(filename=f"tus/{name}", **told)
    created = await tus.create(api, Upload_Length=str(len(data)), Upload_Metadata=named)
    half = len(data) // 2
    await tus.patch(api, created.headers["Location"], 0, data[:half])
    await tus.patch(api, created.headers["Location"], half, data[half:])
    return f"/v1/files/tus/{name}"


NAMED: list[Way] = [
    put,
    put_chunked,
    post_form,
    api_upload,
    file_upload,
    upload,
    resumable,
]
DOCUMENT = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


async def served(api: Api, path: str) -> tuple[str, str]:
    """The content type that a file is served with, and whether browsers show it."""
    response, _ = await api.call("GET", path)
    assert response.status == 200
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    disposition = response.headers["Content-Disposition"].partition(";")[0]
    return response.headers["Content-Type"], disposition


@pytest.mark.parametrize("way", [*NAMED, stream_upload])
@pytest.mark.parametrize(
    ("data", "content_type", "disposition"),
    [
        (samples.PNG, "image/png", "inline"),
        (samples.PDF, "application/pdf", "inline"),
        (b"hello\n", "text/plain", "inline"),
        (samples.HTML, "text/html", "attachment"),
        (samples.SVG, "image/svg+xml", "attachment"),
        (samples.zipped("a"), "application/zip", "attachment"),
        (bytes(5000), "application/octet-stream", "attachment"),
        (b"", "application/octet-stream", "attachment"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_nobody_told_the_first_bytes_tell(
    api: Api, way: Way, data: bytes, content_type: str, disposition: str
) -> None:
    path = await way(api, "upload", data, "")

    assert await served(api, path) == (content_type, disposition)


@pytest.mark.parametrize("way", [*NAMED, stream_upload])
async def test_what_was_told_counts(api: Api, way: Way) -> None:
    path = await way(api, "upload.csv", samples.PNG, "text/x-told")

    assert await served(api, path) == ("text/x-told", "attachment")


@pytest.mark.parametrize("way", NAMED)
@pytest.mark.parametrize(
    ("name", "data", "content_type"),
    [
        ("a.docx", samples.zipped("a"), DOCUMENT),
        ("a.csv", b"a,b\n1,2\n", "text/csv"),
        ("a.json", b"{}", "application/json"),
        ("a.csv", samples.PNG, "image/png"),
        ("a.txt", samples.HTML, "text/html"),
        ("a.png", bytes(5000), "image/png"),
    ],
)
async def test_the_name_tells_what_the_bytes_leave_open(
    api: Api, way: Way, name: str, data: bytes, content_type: str
) -> None:
    path = await way(api, name, data, "")

    assert (await served(api, path))[0] == content_type


@pytest.mark.parametrize(
    "nothing", ["application/octet-stream", "application/x-www-form-urlencoded", "nonsense"]
)
@pytest.mark.parametrize("way", [put, upload, stream_upload])
async def test_what_programs_send_unasked_tells_nothing(api: Api, way: Way, nothing: str) -> None:
    path = await way(api, "upload", samples.PNG, nothing)

    assert (await served(api, path))[0] == "image/png"


async def test_a_page_is_not_shown_whatever_it_is_called(api: Api) -> None:
    for name in ("a", "a.txt", "a.png", "a.pdf", "a.html", "a.svg", "a.md"):
        path = await put(api, name, b"<!-- a --><script>alert(1)</script>", "")
        assert (await served(api, path))[1] == "attachment"


async def test_a_new_version_is_looked_at_anew(api: Api) -> None:
    await put(api, "upload", samples.PNG, "")

    path = await put(api, "upload", b"text", "")

    assert (await served(api, path))[0] == "text/plain"


async def test_a_file_that_came_by_another_way_is_served_by_its_name(api: Api) -> None:
    files = api.services.settings.data / "files"
    (files / "a.csv").write_bytes(samples.PNG)

    assert (await served(api, "/v1/files/a.csv"))[0] == "text/csv"
