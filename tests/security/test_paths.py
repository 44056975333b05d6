"""Names that lead out of the store, through every door that takes a name.

If one of these failed, somebody with a token for one folder, or none on loopback, would read or
replace files of the machine: its keys, its passwords, what it starts at boot.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.faults import Source, faulty
from tests.node.nodes import running_node
from tests.pulls.pulling import hasten
from tests.security.planting import SECRET, WRITTEN, Planted
from tests.security.speaking import Answer, ask
from tests.server import tus_speaking
from tests.server.conftest import Api, StartApi

JSON = "Content-Type: application/json"

READ_BY_PATH = [
    "/v1/files/",
    "/files/",
    "/download/",
    "/static/",
    "/static/js/",
    "/dashboard/",
    "/s/",
    "/v1/uploads/",
    "/v1/zips/",
    "/v1/pulls/",
    "/v1/jobs/",
    "/v1/archives/",
    "/job/",
    "/",
]
READ_BY_QUERY = [
    "/v1/zip?key=",
    "/v1/zip?prefix=",
    "/v1/zip?on_error=report&key=",
    "/v1/files?prefix=",
    "/v1/files?after=",
    "/v1/uploads?key=",
]


@pytest.fixture
async def api(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    hasten(monkeypatch)
    return await start_api(remote_allow="127.0.0.1", remote_tries=1)


@pytest.fixture
async def planted(api: Api) -> Planted:
    files = api.services.settings.data / "files"
    return await asyncio.to_thread(Planted.around, files)


def text_of(name: str) -> str:
    """As JSON has it, where a lone surrogate can be sent too."""
    return json.dumps(name)


@pytest.mark.parametrize("door", READ_BY_PATH + READ_BY_QUERY)
async def test_nothing_outside_is_read(api: Api, planted: Planted, door: str) -> None:
    for path in planted.paths("secret"):
        answer = await ask(api.port, "GET", door.encode() + path, "Range: bytes=0-20")

        assert answer.status < 500, path
        assert SECRET[:20] not in answer.body, path


async def test_nothing_outside_is_in_a_selection(api: Api, planted: Planted) -> None:
    for name in planted.names("secret"):
        text = text_of(name)
        for spec in (f'{{"keys": [{text}]}}', f'{{"prefixes": [{text}]}}'):
            for path in ("/v1/zip", "/v1/zips", "/v1/shares"):
                answer = await ask(api.port, "POST", path, JSON, body=spec.encode())

                assert answer.status < 500, name
                assert SECRET not in answer.body, name


async def test_links_are_no_files_and_no_folders(api: Api, planted: Planted) -> None:
    await api.put("docs/a", b"a")

    for path in ("/v1/zip?prefix=", "/v1/zip?prefix=docs/", "/v1/zip?prefix=link-to-folder/"):
        answer = await ask(api.port, "GET", path)
        assert b"secret" not in answer.body
    listed = json.loads(await api.get("/v1/files"))
    assert [file["key"] for file in listed["files"]] == ["docs/a"]


Write = Callable[[Api, str], Awaitable[Answer]]


async def _put(api: Api, name: str) -> Answer:
    path = b"/v1/files/" + name.encode("utf-8", "surrogatepass").translate(None, b"\r\n \0")
    return await ask(api.port, "PUT", path, body=WRITTEN)


async def _delete(api: Api, name: str) -> Answer:
    path = b"/v1/files/" + name.encode("utf-8", "surrogatepass").translate(None, b"\r\n \0")
    return await ask(api.port, "DELETE", path)


def _form(api: Api, path: str, *parts: tuple[bytes, bytes]) -> Awaitable[Answer]:
    """A form with fields as they are: what stands behind ``name=``, and the value."""
    pieces = [
        b"--b\r\nContent-Disposition: form-data; name=" + how + b"\r\n\r\n" + value + b"\r\n"
        for how, value in parts
    ]
    body = b"".join(pieces) + b"--b--\r\n"
    return ask(api.port, "POST", path, "Content-Type: multipart/form-data; boundary=b", body=body)


def _octets(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _file_name(name: str) -> bytes:
    """A file name in a part's head, where a line can not end."""
    return b'file; filename="' + _octets(name).translate(None, b"\r\n") + b'"'


async def _form_file_name(api: Api, name: str) -> Answer:
    return await _form(api, "/v1/files", (_file_name(name), WRITTEN))


async def _form_name(api: Api, name: str) -> Answer:
    parts = (b'file; filename="x"', WRITTEN), (b'"name"', _octets(name))
    return await _form(api, "/v1/files", *parts)


async def _form_path(api: Api, name: str) -> Answer:
    parts = (b'file; filename="x"', WRITTEN), (b'"path"', _octets(name))
    return await _form(api, "/v1/files", *parts)


async def _stream_download_name(api: Api, name: str) -> Answer:
    parts = (b'file; filename="x"', WRITTEN), (b'"fileName"', _octets(name))
    return await _form(api, "/api/upload", *parts)


async def _stream_download_path(api: Api, name: str) -> Answer:
    parts = (b'file; filename="x"', WRITTEN), (b'"filePath"', _octets(name))
    return await _form(api, "/api/upload", *parts)


async def _file_upload(api: Api, name: str) -> Answer:
    return await _form(api, "/file-upload", (_file_name(name), WRITTEN))


async def _stream_upload(api: Api, name: str) -> Answer:
    field = b"X-File-Name: " + _octets(name).translate(None, b"\r\n\0")
    return await ask(api.port, "POST", "/stream-upload", field, body=WRITTEN)


async def _file_service(api: Api, name: str) -> Answer:
    field = b"X-File-Name: " + _octets(name).translate(None, b"\r\n\0")
    return await ask(api.port, "POST", "/upload", field, body=WRITTEN)


def _by_tus(**metadata: bytes) -> list[str]:
    return [
        "Tus-Resumable: 1.0.0",
        f"Upload-Length: {len(WRITTEN)}",
        f"Content-Type: {tus_speaking.OCTETS}",
        f"Upload-Metadata: {tus_speaking.metadata(**metadata)}",
    ]


async def _tus_name(api: Api, name: str) -> Answer:
    fields = _by_tus(filename=_octets(name))
    return await ask(api.port, "POST", "/v1/uploads", *fields, body=WRITTEN)


async def _tus_path(api: Api, name: str) -> Answer:
    fields = _by_tus(filename=b"x", path=_octets(name), relativePath=_octets(name))
    return await ask(api.port, "POST", "/v1/uploads", *fields, body=WRITTEN)


async def _tus_key(api: Api, name: str) -> Answer:
    fields = _by_tus(filename=b"x", key=_octets(name), name=_octets(name))
    return await ask(api.port, "POST", "/v1/uploads", *fields, body=WRITTEN)


async def _archive_to(api: Api, name: str) -> Answer:
    body = f'{{"prefix": "docs/", "key": {text_of(name)}}}'
    return await ask(api.port, "POST", "/v1/archives", JSON, body=body.encode())


async def _archive_of(api: Api, name: str) -> Answer:
    body = f'{{"prefix": {text_of(name)}, "key": "archive.zip"}}'
    return await ask(api.port, "POST", "/v1/archives", JSON, body=body.encode())


async def _stream_vault(api: Api, name: str) -> Answer:
    body = f'{{"s3Key": {text_of(name)}}}'
    return await ask(api.port, "POST", "/create-job", JSON, body=body.encode())


async def _share(api: Api, name: str) -> Answer:
    body = f'{{"kind": "upload", "prefix": {text_of(name)}}}'
    return await ask(api.port, "POST", "/v1/shares", JSON, body=body.encode())


DOORS_IN: list[Write] = [
    _put, _delete, _form_file_name, _form_name, _form_path, _stream_download_name,
    _stream_download_path, _file_upload, _stream_upload, _file_service, _tus_name, _tus_path,
    _tus_key, _archive_to, _archive_of, _stream_vault, _share,
]  # fmt: skip


@pytest.mark.parametrize("write", DOORS_IN, ids=lambda write: write.__name__)
async def test_nothing_outside_is_written_or_removed(
    api: Api, planted: Planted, write: Write
) -> None:
    await api.put("docs/a", b"a")

    for name in planted.names("secret" if write in (_put, _delete) else "new"):
        answer = await write(api, name)
        assert answer.status < 500, name
        assert SECRET not in answer.body, name

    assert await asyncio.to_thread(planted.untouched)
    assert await asyncio.to_thread(planted.written) == []


async def test_a_pull_writes_nothing_outside(api: Api, planted: Planted) -> None:
    async with faulty() as source:
        url = source.serve("/a", WRITTEN, etag='"a"')
        for name in planted.names("new"):
            body = f'{{"url": "{url}", "key": {text_of(name)}}}'.encode()
            answer = await ask(api.port, "POST", "/v1/pulls", JSON, body=body)
            assert answer.status in (202, 400, 409), name
        await _all_ended(api, source)

    assert await asyncio.to_thread(planted.untouched)
    assert await asyncio.to_thread(planted.written) == []


async def _all_ended(api: Api, source: Source) -> None:
    async with asyncio.timeout(60):
        while True:
            pulls = json.loads(await api.get("/v1/pulls?limit=200"))["pulls"]
            if all(pull["ended"] for pull in pulls):
                break
            await asyncio.sleep(0.05)
    assert source.requests, "no pull was begun"


async def test_a_node_neither_reads_nor_writes_outside(tmp_path: Path) -> None:
    """Who has the secret of the cluster would have the files of every node's machine."""
    async with running_node(tmp_path / "node") as node:
        planted = await asyncio.to_thread(Planted.around, node.folder / "files")
        for path in (*planted.paths("secret"), *planted.paths("new")):
            for method, body in (("GET", b""), ("HEAD", b""), ("PUT", WRITTEN), ("DELETE", b"")):
                answer = await ask(node.port, method, b"/files/" + path, body=body)
                assert answer.status < 500, path
                assert SECRET not in answer.body, path

        assert await asyncio.to_thread(planted.untouched)
        assert await asyncio.to_thread(planted.written) == []
