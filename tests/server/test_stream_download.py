"""``/api/upload`` and ``/api/download`` answer as stream-download does, but for its faults."""

import io
import json
import re
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.server.conftest import Api, StartApi

PDF = b"%PDF-1.4 " + bytes(range(256)) * 200
REPORT = re.compile(
    r"Download Error Report\n"
    r"=====================\n"
    r"Generated: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n"
    r"\n"
    r"Total requested: (\d+)\n"
    r"Successful: (\d+)\n"
    r"Failed: (\d+)\n"
    r"\n"
    r"Failed files:\n"
    r"((?:  - .*: .*\n)*)"
)


async def _cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(bytes(400))
    assert request.transport is not None
    request.transport.abort()
    return response


async def _found(_: web.Request) -> web.Response:
    return web.Response(body=PDF)


@pytest.fixture
async def source() -> AsyncIterator[str]:
    """A server with some files, of which one is always cut short."""
    app = web.Application()
    app.router.add_get("/cut.bin", _cut)
    app.router.add_get("/files/{name:.*}", _found)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def api(start_api: StartApi) -> Api:
    return await start_api(remote_allow="127.0.0.1", remote_tries=2)


async def download(api: Api, urls: object) -> tuple[aiohttp.ClientResponse, bytes]:
    return await api.call(
        "POST", "/api/download", json.dumps({"urls": urls}), Content_Type="application/json"
    )


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())
        return {name: archive.read(name) for name in archive.namelist()}


def report(data: bytes) -> tuple[int, int, int, list[str]]:
    """Requested, successful, failed, and the lines of the failed ones."""
    told = REPORT.fullmatch(contents(data)["_download_errors.txt"].decode())
    assert told is not None
    return int(told[1]), int(told[2]), int(told[3]), told[4].splitlines()


async def test_urls_come_as_a_zip(api: Api, source: str) -> None:
    response, body = await download(api, [f"{source}/files/a.pdf", f"{source}/files/b.pdf"])

    assert response.status == 200
    assert response.headers["Content-Type"] == "application/zip"
    assert response.headers["Content-Disposition"] == "attachment; filename=download.zip"
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert contents(body) == {"a.pdf": PDF, "b.pdf": PDF}


async def test_what_is_missing_is_reported_in_the_zip(api: Api, source: str) -> None:
    response, body = await download(api, [f"{source}/files/a.pdf", f"{source}/none"])

    assert response.status == 200
    assert contents(body)["a.pdf"] == PDF
    assert report(body) == (2, 1, 1, ["  - none: HTTP 404"])


async def test_if_all_fail_a_second_entry_says_so(api: Api, source: str) -> None:
    response, body = await download(api, [f"{source}/none", "http://127.0.0.1:1/x", "ftp://h/a"])

    assert response.status == 200
    assert report(body)[:3] == (3, 0, 3)
    assert contents(body)["_ALL_DOWNLOADS_FAILED.txt"] == (
        b"ERROR: All file downloads failed. Please check _download_errors.txt for details.\n"
    )


async def test_a_browsers_form_is_understood(api: Api, source: str) -> None:
    text = json.dumps({"urls": [f"{source}/files/a.pdf"]})

    _, urlencoded = await api.call("POST", "/api/download", {"json": text})
    form = aiohttp.FormData({"json": text}, default_to_multipart=True)
    _, multipart = await api.call("POST", "/api/download", form)

    assert contents(urlencoded) == contents(multipart) == {"a.pdf": PDF}


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        ('{"urls":[]}', "application/json", "URLs array is required"),
        ("{}", "application/json", "URLs array is required"),
        ("{bad", "application/json", "Invalid request body: "),
        ('{"urls":7}', "application/json", "Invalid request body: "),
        ("json={bad", "application/x-www-form-urlencoded", "Invalid JSON in form: "),
        ("", "application/x-www-form-urlencoded", "URLs array is required"),
        ("hello", "text/plain", "URLs array is required"),
    ],
)
async def test_a_bad_request_is_told_as_the_service_tells_it(
    api: Api, body: str, content_type: str, message: str
) -> None:
    response, answer = await api.call("POST", "/api/download", body, Content_Type=content_type)

    told = json.loads(answer)
    assert response.status == 400
    assert response.content_type == "application/json"
    assert told["success"] is False
    assert told["message"].startswith(message)


async def test_a_source_that_is_cut_is_never_a_short_entry(api: Api, source: str) -> None:
    _, body = await download(api, [f"{source}/cut.bin", f"{source}/files/a.pdf"])

    assert contents(body)["a.pdf"] == PDF
    assert "cut.bin" not in contents(body)
    assert report(body)[:3] == (2, 1, 1)


async def test_names_are_safe_and_distinct(api: Api, source: str) -> None:
    paths = ["a.pdf", "a.pdf", "a.pdf?X-Amz-Signature=abc/def", "x/..", "dir/", "%2e%2e/e.txt"]

    _, body = await download(api, [f"{source}/files/{path}" for path in paths])

    names = contents(body)
    assert names.keys() >= {"a.pdf", "a (2).pdf", "a (3).pdf", "dir", "e.txt"}
    assert not any(".." in name or "/" in name or "?" in name for name in names)


async def test_a_private_address_is_not_fetched(start_api: StartApi, source: str) -> None:
    api = await start_api()

    _, body = await download(api, [f"{source}/files/a.pdf"])

    assert report(body)[:3] == (1, 0, 1)
    assert PDF not in contents(body).values()


def form(**fields: Any) -> aiohttp.FormData:
    data = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        if isinstance(value, bytes):
            data.add_field(name, value, filename="client.pdf", content_type="application/pdf")
        else:
            data.add_field(name, value)
    return data


async def test_an_upload_answers_as_the_service_does(api: Api) -> None:
    fields = form(file=PDF, filePath="documents/2024", fileName="report.pdf")

    response, answer = await api.call("POST", "/api/upload", fields)

    url = f"http://127.0.0.1:{api.port}/v1/files/documents/2024/report.pdf"
    assert response.status == 200
    assert answer == (
        b'{"success":true,"message":"File uploaded successfully","data":{"filename":"report.pdf",'
        b'"filePath":"documents/2024","url":"%s","size":%d}}' % (url.encode(), len(PDF))
    )
    assert await api.get("/v1/files/documents/2024/report.pdf") == PDF


async def test_an_upload_without_names_takes_the_clients(api: Api) -> None:
    _, answer = await api.call("POST", "/api/upload", form(file=PDF))

    assert json.loads(answer)["data"] | {"url": ""} == {
        "filename": "client.pdf",
        "filePath": "",
        "url": "",
        "size": len(PDF),
    }
    assert await api.get("/v1/files/client.pdf") == PDF


@pytest.mark.parametrize("data", [form(filePath="a"), b"not a form"])
async def test_an_upload_without_a_file_is_refused(api: Api, data: Any) -> None:
    response, answer = await api.call("POST", "/api/upload", data)

    assert response.status == 400
    assert json.loads(answer) == {"success": False, "message": "File is required"}


async def test_an_upload_that_is_too_large_is_refused(start_api: StartApi) -> None:
    api = await start_api(max_body=10_000)

    response, answer = await api.call("POST", "/api/upload", form(file=PDF))

    assert response.status == 413
    assert answer == b"Request Entity Too Large"


async def test_an_upload_cannot_leave_the_store(api: Api) -> None:
    fields = form(file=PDF, filePath="/a/../b/", fileName="x")

    response, answer = await api.call("POST", "/api/upload", fields)

    assert response.status == 400
    assert json.loads(answer)["message"].startswith("Failed to upload file: ")
