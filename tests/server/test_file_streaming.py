"""``/stream-upload`` and ``/file-upload`` answer as file-streaming does, but for its faults."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.eventually import eventually
from tests.server.conftest import Api, StartApi
from tests.server.programs import curl, run
from tests.server.test_put import sha256_field, stored

DATA = random.Random(5).randbytes(900_000)
UPLOADED = b'{"status":201,"msg":"file uploaded","ok":true}\n'
NO_FILE = b'{"status":400,"msg":"file upload failed","ok":false}\n'
# The service's own client streams a file, then sends it in a form, and prints both answers.
CLIENT = """
    const fs = require("node:fs");
    const { Readable } = require("node:stream");
    const [path, url] = process.argv.slice(1);
    (async () => {
        const body = Readable.toWeb(fs.createReadStream(path));
        const streamed = await fetch(url + "/stream-upload",
            {method: "POST", body, duplex: "half"});
        console.log(JSON.stringify(await streamed.json()), streamed.headers.get("location"));
        const form = new FormData();
        form.append("file", new Blob([fs.readFileSync(path)]), "small.csv");
        const sent = await fetch(url + "/file-upload", {method: "POST", body: form});
        console.log(JSON.stringify(await sent.json()), sent.headers.get("location"));
    })();
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "f"
    path.write_bytes(DATA)
    return path


def url(api: Api, path: str) -> str:
    return f"http://127.0.0.1:{api.port}{path}"


def form(data: bytes = DATA, **options: str) -> aiohttp.FormData:
    fields = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    fields.add_field("file", data, **options)
    return fields


@pytest.mark.parametrize(
    "words",
    [
        ["-X", "POST", "--data-binary", "@{file}"],
        ["-X", "PUT", "--data-binary", "@{file}"],
        ["-T", "{file}"],
        ["-T", "-"],
        ["-X", "POST", "-T", "-"],
        ["-X", "POST", "-H", "Transfer-Encoding: chunked", "--data-binary", "@{file}"],
    ],
    ids=" ".join,
)
async def test_curl_streams_a_body(api: Api, source: Path, words: list[str]) -> None:
    given = [word.replace("{file}", str(source)) for word in words]

    head, body = await curl(*given, url(api, "/stream-upload"), stdin=DATA)

    [key] = await stored(api)
    assert head.startswith("HTTP/1.1 201 ")
    assert "\nContent-Type: text/plain; charset=utf-8\n" in head
    assert "\nContent-Length: 47\n" in head
    assert body == UPLOADED
    assert re.fullmatch(r"\d+\.tmp", key)
    assert f"\nLocation: /v1/files/{key}\n" in head
    assert await api.get(f"/v1/files/{key}") == DATA


async def test_curl_sends_a_form(api: Api, source: Path) -> None:
    head, body = await curl("-F", f"file=@{source}", url(api, "/file-upload"))

    [key] = await stored(api)
    assert head.startswith("HTTP/1.1 201 ")
    assert "\nContent-Type: text/plain; charset=utf-8\n" in head
    assert body == UPLOADED
    assert re.fullmatch(r"\d+-f", key)
    assert f"\nLocation: /v1/files/{key}\n" in head
    assert await api.get(f"/v1/files/{key}") == DATA


async def test_the_services_client_streams_a_file_and_sends_it_in_a_form(
    api: Api, source: Path
) -> None:
    out = await run("node", "-e", CLIENT, source, url(api, ""))

    answers = out.decode().splitlines()
    expected = re.escape(UPLOADED.decode().strip()) + r" /v1/files/(\d+(\.tmp|-small\.csv))"
    found = [re.fullmatch(expected, line) for line in answers]
    keys = [match[1] for match in found if match is not None]
    assert sorted(keys) == sorted(await stored(api))
    assert [key.lstrip("0123456789") for key in keys] == [".tmp", "-small.csv"]
    assert [await api.get(f"/v1/files/{key}") for key in keys] == [DATA, DATA]


@pytest.mark.parametrize("path", ["/stream-upload", "/file-upload"])
async def test_each_upload_is_a_file_of_its_own(api: Api, path: str) -> None:
    for _ in range(3):
        body = b"the same" if path == "/stream-upload" else form(b"the same", filename="a.txt")
        response, _ = await api.call("POST", path, body)
        assert response.status == 201

    assert len(await stored(api)) == 3


@pytest.mark.parametrize("path", ["/stream-upload", "/file-upload"])
async def test_the_answer_tells_what_to_verify(api: Api, path: str) -> None:
    response, _ = await api.call(
        "POST", path, DATA if path == "/stream-upload" else form(filename="a")
    )

    location = response.headers["Location"]
    served, _ = await api.call("HEAD", location)
    assert response.headers["Repr-Digest"] == sha256_field(DATA)
    assert response.headers["ETag"] == served.headers["ETag"]


async def test_a_body_of_no_bytes_is_a_file_of_no_bytes(api: Api) -> None:
    response, _ = await api.call("POST", "/stream-upload", b"")

    assert response.status == 201
    assert await api.get(response.headers["Location"]) == b""


@pytest.mark.parametrize("path", ["/stream-upload", "/file-upload"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
async def test_a_request_that_is_no_upload_stores_nothing(api: Api, path: str, method: str) -> None:
    response, _ = await api.call(method, path)

    assert response.status == 405
    assert response.headers["Allow"] == "POST,PUT"
    assert await stored(api) == []


def text_only() -> aiohttp.FormData:
    fields = aiohttp.FormData(default_to_multipart=True)
    fields.add_field("file", "a text field of that name")
    return fields


def other_field() -> aiohttp.FormData:
    fields = aiohttp.FormData(default_to_multipart=True)
    fields.add_field("picture", b"x", filename="a.png")
    return fields


@pytest.mark.parametrize("data", [text_only(), other_field(), b"not a form", None])
async def test_a_form_without_a_file_is_refused(
    api: Api, data: aiohttp.FormData | bytes | None
) -> None:
    response, body = await api.call("POST", "/file-upload", data)

    assert response.status == 400
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert body == NO_FILE
    assert await stored(api) == []


async def test_a_form_cut_short_is_refused(api: Api) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'

    response, answer = await api.call(
        "POST", "/file-upload", body, Content_Type="multipart/form-data; boundary=b"
    )

    assert response.status == 400
    assert answer == NO_FILE
    assert await stored(api) == []


@pytest.mark.parametrize("name", ["../../etc/a*b.txt", "C:\\Users\\x\\a*b.txt", "a*b.txt"])
async def test_the_folders_of_the_clients_file_name_are_dropped(api: Api, name: str) -> None:
    await api.call("POST", "/file-upload", form(filename=name))

    [key] = await stored(api)
    assert re.fullmatch(r"\d+-a\*b\.txt", key)


async def test_a_name_that_no_key_can_have_is_refused_with_the_reason(api: Api) -> None:
    response, body = await api.call("POST", "/file-upload", form(filename="a" * 250))

    assert response.status == 400
    assert b"255 bytes" in body
    assert await stored(api) == []


async def test_only_the_first_file_is_stored(api: Api) -> None:
    fields = form(b"first", filename="a")
    fields.add_field("file", b"second", filename="b")

    response, _ = await api.call("POST", "/file-upload", fields)

    assert len(await stored(api)) == 1
    assert await api.get(response.headers["Location"]) == b"first"


async def pieces() -> AsyncIterator[bytes]:
    for _ in range(100):
        yield bytes(1000)


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/stream-upload", DATA),
        ("/stream-upload", pieces()),
        ("/file-upload", form(filename="a")),
    ],
)
async def test_a_body_over_the_limit_is_refused(
    start_api: StartApi, path: str, data: bytes | aiohttp.FormData
) -> None:
    api = await start_api(max_body="10KiB")

    response, body = await api.call("POST", path, data)

    assert response.status == 413
    assert body.startswith(b'{"status":413,"msg":"')
    assert await stored(api) == []


async def test_a_body_that_is_not_the_announced_one_is_refused(api: Api) -> None:
    response, body = await api.call(
        "POST", "/stream-upload", b"other", Repr_Digest=sha256_field(DATA)
    )

    assert response.status == 400
    assert body.startswith(b'{"status":400,"msg":"the bytes received do not match')
    assert await stored(api) == []


HEADS = {
    "/stream-upload": b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "/file-upload": (
        b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n"
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'
    ),
}


async def begin(api: Api, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode() + HEADS[path])
    await writer.drain()
    return reader, writer


@pytest.mark.parametrize("path", HEADS)
async def test_a_stream_without_an_end_is_ended_and_leaves_nothing(
    start_api: StartApi, path: str
) -> None:
    api = await start_api(stall_timeout=0.2)
    reader, writer = await begin(api, path)

    answer = await reader.readuntil(b"}\n")

    tmp = api.services.settings.data / "files/.penstock/tmp"
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'\r\n\r\n{"status":408,"msg":"no byte came for 0.2 seconds' in answer
    assert await stored(api) == []
    assert await eventually(lambda: not any(tmp.iterdir()))
    writer.close()


@pytest.mark.parametrize("path", HEADS)
async def test_an_upload_cut_by_the_client_leaves_nothing(api: Api, path: str) -> None:
    _, writer = await begin(api, path)
    tmp = api.services.settings.data / "files/.penstock/tmp"
    assert await eventually(lambda: any(tmp.iterdir()))

    writer.close()
    await writer.wait_closed()

    assert await eventually(lambda: not any(tmp.iterdir()))
    assert await eventually(lambda: api.services.traffic.transfers == 0)
    assert await stored(api) == []


async def test_chunks_that_are_malformed_leave_nothing(start_api: StartApi) -> None:
    api = await start_api(stall_timeout=0.2)
    reader, writer = await begin(api, "/stream-upload")

    writer.write(b"no length\r\n")
    answer = await reader.read()

    assert re.match(rb"HTTP/1\.[01] 4\d\d ", answer)
    assert await stored(api) == []
    writer.close()
