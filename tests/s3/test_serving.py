"""``penstock serve`` on S3: everything by HTTP."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import httpx
import pytest

from tests.conftest import StartServer
from tests.eventually import eventually
from tests.s3.files import MIB, content
from tests.s3.fixtures import quick
from tests.s3.front import GET, PART, UNNOTE, front_of
from tests.s3.servers import S3Server
from tests.s3.uploads import names_in, uploads_in
from tests.server.conftest import Api, StartApi, start_api
from tests.serving import RunningServer

__all__ = ["start_api"]

BIG = content(20 * MIB)


@pytest.fixture(scope="module")
def served(
    s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """One server for all tests of this module; use keys that no other test uses."""
    data = tmp_path_factory.mktemp("served") / "data"
    server = RunningServer(data, **s3_server.settings(f"t/{uuid4().hex}"))
    yield server
    assert server.stop() == 0


@pytest.fixture
def http(served: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        yield client


@pytest.mark.parametrize("size", [0, 1000, 5 * MIB, len(BIG)])
def test_a_file_that_is_put_is_got(http: httpx.Client, size: int) -> None:
    path = f"/v1/files/put/{size}.bin"
    asked = {"Content-Type": "audio/flac", "Want-Repr-Digest": "sha-256=1"}

    made = http.put(path, content=BIG[:size], headers=asked)
    got = http.get(path, headers={"Want-Repr-Digest": "sha-256=1"})
    again = http.put(path, content=BIG[:size])

    assert (made.status_code, again.status_code) == (201, 200)
    assert got.content == BIG[:size]
    assert got.headers["Content-Type"] == "audio/flac"
    assert got.headers["ETag"] == made.headers["ETag"]
    assert got.headers["Repr-Digest"] == made.headers["Repr-Digest"]


def test_a_file_of_unknown_length_is_put(http: httpx.Client) -> None:
    pieces = (BIG[at : at + MIB] for at in range(0, len(BIG), MIB))

    assert http.put("/v1/files/chunked", content=pieces).status_code == 201
    assert http.get("/v1/files/chunked").content == BIG


def test_ranges_head_and_conditions(http: httpx.Client) -> None:
    etag = http.put("/v1/files/ranges", content=BIG[:9000]).headers["ETag"]

    head = http.head("/v1/files/ranges")
    part = http.get("/v1/files/ranges", headers={"Range": "bytes=100-199", "If-Range": etag})
    several = http.get("/v1/files/ranges", headers={"Range": "bytes=0-1,-2"})
    same = http.get("/v1/files/ranges", headers={"If-None-Match": etag})
    another = http.put("/v1/files/ranges", content=b"x", headers={"If-Match": '"other"'})
    exists = http.put("/v1/files/ranges", content=b"x", headers={"If-None-Match": "*"})

    assert (head.status_code, head.headers["Content-Length"]) == (200, "9000")
    assert (part.status_code, part.content) == (206, BIG[100:200])
    assert several.status_code == 206
    assert BIG[:2] in several.content
    assert BIG[8998:9000] in several.content
    assert (same.status_code, another.status_code, exists.status_code) == (304, 412, 412)


def test_listing_and_deleting(http: httpx.Client) -> None:
    for name in ("list/a", "list/b/c", "list/ü %+"):
        assert http.put(f"/v1/files/{quote(name)}", content=b"x").status_code == 201

    page = http.get("/v1/files", params={"prefix": "list/", "delimiter": "/"}).json()
    deleted = http.delete("/v1/files/list/a")

    assert [file["key"] for file in page["files"]] == ["list/a", "list/ü %+"]
    assert page["prefixes"] == ["list/b/"]
    assert deleted.status_code == 204
    assert http.get("/v1/files/list/a").status_code == 404
    assert http.delete("/v1/files/list/a").status_code == 404


@quick
def test_a_form_with_more_files_than_fit_in_memory(
    start_server: StartServer, s3_server: S3Server
) -> None:
    prefix = f"t/{uuid4().hex}"
    server = start_server(
        **s3_server.settings(prefix), s3_memory=str(5 * MIB), s3_part_size=str(5 * MIB)
    )
    files = [("file", (f"{number}.bin", BIG[: 3 * MIB + number])) for number in range(4)]

    made = httpx.post(
        f"{server.url}/v1/files",
        files=[*files, ("file", ("big.bin", BIG))],
        data={"path": "form"},
        timeout=60,
    )

    assert made.status_code == 201
    assert httpx.get(f"{server.url}/v1/files/form/3.bin").content == BIG[: 3 * MIB + 3]
    assert httpx.get(f"{server.url}/v1/files/form/big.bin").content == BIG


def test_an_upload_that_can_be_resumed_ends_in_s3(http: httpx.Client) -> None:
    tus = {"Tus-Resumable": "1.0.0"}
    metadata = {"Upload-Length": str(len(BIG)), "Upload-Metadata": "path dHVz,filename ZmxvYXQ="}
    made = http.post("/v1/uploads", headers={**tus, **metadata})
    assert made.status_code == 201
    place = made.headers["Location"]
    offset = {"Content-Type": "application/offset+octet-stream"}

    for start, stop in ((0, 7_000_000), (7_000_000, len(BIG))):
        fields = {**tus, **offset, "Upload-Offset": str(start)}
        sent = http.patch(place, content=BIG[start:stop], headers=fields)
        assert sent.status_code == 204

    assert http.get("/v1/files/tus/float").content == BIG


@pytest.mark.parametrize("compress", ["store", "deflate"])
def test_a_folder_is_got_as_a_zip(http: httpx.Client, compress: str) -> None:
    members = {f"{number}.bin": BIG[number : number + 50_000 * number] for number in range(12)}
    for name, data in members.items():
        http.put(f"/v1/files/zip-{compress}/{name}", content=data)
    folder = f"zip-{compress}/"

    made = http.post("/v1/zip", json={"prefixes": [folder], "compress": compress})

    assert made.status_code == 200
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        assert archive.testzip() is None
        found = {
            info.filename.removeprefix(folder): archive.read(info) for info in archive.infolist()
        }
    assert found == members


def test_a_zip_has_a_length_and_ranges(http: httpx.Client) -> None:
    for number in range(3):
        http.put(f"/v1/files/resumed/{number}", content=BIG[number : number + 3 * MIB])
    whole = http.get("/v1/zip", params={"prefix": "resumed/"})

    fields = {"Range": "bytes=4000000-", "If-Range": whole.headers["ETag"]}
    rest = http.get("/v1/zip", params={"prefix": "resumed/"}, headers=fields)

    assert int(whole.headers["Content-Length"]) == len(whole.content)
    assert (rest.status_code, rest.content) == (206, whole.content[4_000_000:])


@quick
def test_the_server_is_ready(http: httpx.Client) -> None:
    assert http.get("/readyz").status_code == 200


def test_a_server_without_its_bucket_is_not_ready(
    start_server: StartServer, s3_server: S3Server
) -> None:
    server = start_server(**{**s3_server.settings(""), "store": "s3://penstock-no-such-bucket"})

    answer = httpx.get(f"{server.url}/readyz?verbose", timeout=60)

    assert answer.status_code == 503
    assert "the bucket does not exist" in answer.text


@quick
def test_memory_is_bounded_however_large_the_files(
    served: RunningServer, http: httpx.Client
) -> None:
    http.put("/v1/files/warm", content=BIG)
    http.get("/v1/files/warm")
    before = served.memory("VmRSS")

    def put_and_get(number: int) -> None:
        pieces = (BIG for _ in range(4))
        url = f"{served.url}/v1/files/big/{number}"
        assert httpx.put(url, content=pieces, timeout=100).status_code == 201
        with httpx.stream("GET", url, timeout=100) as answer:
            assert sum(map(len, answer.iter_raw())) == 4 * len(BIG)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(put_and_get, range(2)))

    assert served.memory() - before < 120 * MIB


@quick
async def test_members_of_a_zip_are_read_ahead_and_not_too_far(
    start_api: StartApi, s3_server: S3Server
) -> None:
    async with front_of(s3_server) as front:
        settings = {
            **s3_server.settings(f"t/{uuid4().hex}"),
            "s3_endpoint": front.url,
            "resume_from": 32 * MIB,
        }
        api: Api = await start_api(**settings, remote_connections=3)
        for number in range(6):  # each more than what waits between S3 and the client
            await api.put(f"ahead/{number}", BIG[: 16 * MIB])
        front.seen.clear()

        async with api.session.get("/v1/zip?prefix=ahead/") as answer:
            await answer.content.readexactly(1000)
            async with asyncio.timeout(30):
                while front.count(GET) < 3:
                    await asyncio.sleep(0.01)
            asked = front.count(GET)
            rest = await answer.content.read()

        assert 3 <= asked <= 4
        assert len(rest) + 1000 == answer.content_length
        paths = [seen.path.rpartition("/")[2] for seen in front.of(GET)]
        assert sorted(paths) == [str(number) for number in range(6)]


@quick
async def test_a_client_that_leaves_leaves_nothing(
    start_api: StartApi, s3_server: S3Server
) -> None:
    prefix = f"t/{uuid4().hex}"
    async with front_of(s3_server) as front:
        settings = {**s3_server.settings(prefix), "s3_endpoint": front.url}
        api: Api = await start_api(**settings, resume_from=32 * MIB)

        async def half() -> AsyncIterator[bytes]:
            yield BIG[: 12 * MIB]
            assert await eventually(lambda: front.count(PART) > 0, 60)
            raise ConnectionError

        with pytest.raises((ConnectionError, aiohttp.ClientError)):
            await api.call("PUT", "/v1/files/half", half(), Content_Length=str(len(BIG)))

        # The note goes last.
        assert await eventually(lambda: front.count(UNNOTE) > 0, 60)
        async with asyncio.timeout(60):
            while await names_in(s3_server, prefix):
                await asyncio.sleep(0.05)
        assert await uploads_in(s3_server, prefix) == []
