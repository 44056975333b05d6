"""ZIPs of URLs: what is told or found out of them decides what such a ZIP can do."""

import asyncio
import json
import random
import zipfile
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from tests.eventually import eventually
from tests.faults import Fault, Source, faulty, status, throttle
from tests.server.asking import Spec, contents, curl, gets, python, verdict
from tests.server.conftest import Api, StartApi

MIB = 1 << 20
FILM = random.Random(9).randbytes(12 * MIB)
NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest.fixture
async def api(start_api: StartApi) -> Api:
    return await start_api(remote_allow="127.0.0.1", remote_tries=2)


def told(source: Source, name: str, content: bytes, **more: Any) -> dict[str, Any]:
    """A URL of which the caller knows everything."""
    url = source.serve(f"/{name}", content, etag=f'"{name}"')
    crc32 = f"{zlib.crc32(content):08x}"
    return {"url": url, "size": len(content), "crc32": crc32, "modified": NOON.isoformat(), **more}


async def link_to(api: Api, spec: object) -> dict[str, Any]:
    response, answer = await api.call(
        "POST", "/v1/zips", json.dumps(spec), Content_Type="application/json"
    )
    assert response.status == 201, answer
    document: dict[str, Any] = json.loads(answer)
    return document


async def begun(api: Api, url: str, length: int) -> bytes:
    """The first bytes of a download that the client breaks off then."""
    async with api.session.get(url) as response:
        assert response.status == 200
        return await response.content.readexactly(length)


async def test_what_the_caller_tells_is_known_of_the_whole_zip(api: Api, source: Source) -> None:
    wanted = {"a": FILM[:300_000], "b": b"", "c": FILM[:5]}
    urls = [told(source, name, content) for name, content in wanted.items()]

    link = await link_to(api, {"urls": urls})
    response, body = await api.call("GET", link["url"])

    assert link["layout"] == response.headers["X-Zip-Layout"] == "stored"
    assert link["size"] == len(body)
    assert link["crc32"] == f"{zlib.crc32(body):08x}"
    assert contents(body) == wanted
    # The empty one is asked, since it is never read.
    assert {seen.path for seen in source.requests if seen.method == "HEAD"} == {"/b"}
    with zipfile.ZipFile(BytesIO(body)) as archive:
        assert archive.infolist()[0].date_time == (2026, 1, 31, 12, 0, 0)


@pytest.mark.parametrize(
    "lie",
    [{"size": 299_999}, {"size": 300_001}, {"crc32": "00000000"}, {"size": 299_999, "crc32": None}],
    ids=["shorter", "longer", "other CRC-32", "shorter, no CRC-32"],
)
@pytest.mark.parametrize("compress", ["store", "deflate", "auto"])
@pytest.mark.parametrize("client", [curl, python])
async def test_what_the_caller_tells_is_held_against_the_bytes(
    api: Api, source: Source, client: Any, compress: str, lie: dict[str, Any]
) -> None:
    wanted = {"film": FILM[:300_000], "last": FILM[:5]}
    urls = [told(source, "film", wanted["film"], **lie), told(source, "last", wanted["last"])]
    url = f"http://127.0.0.1:{api.port}/v1/zip"

    aborted = await client(url, {"urls": urls, "compress": compress})
    reported = await client(url, {"urls": urls, "compress": compress, "on_error": "report"})

    assert verdict(aborted, wanted) == "broken"
    assert verdict(reported, wanted) == "without film"


async def test_an_empty_file_that_is_not_is_found_out(api: Api, source: Source) -> None:
    urls = [told(source, "film", FILM[:1000], size=0, crc32=None)]

    came = await python(f"http://127.0.0.1:{api.port}/v1/zip", {"urls": urls})

    assert (came.status, came.document["code"]) == (424, "source-failed")


async def test_a_source_of_unknown_size_comes_deflated(api: Api, source: Source) -> None:
    for name, data in (("film", FILM), ("small", b"small")):
        source.serve(f"/{name}", data, always=Fault(framing="chunked", ranges=False))

    response, body = await api.call("GET", f"/v1/zip?url={source.url}/film&url={source.url}/small")

    assert response.headers["X-Zip-Layout"] == "deflate"
    assert "Content-Length" not in response.headers
    assert contents(body) == {"film": FILM, "small": b"small"}


async def test_a_source_that_names_its_version_gives_the_same_zip_twice(
    api: Api, source: Source
) -> None:
    path = "/v1/zip?url=" + source.serve("/film", FILM, etag='"v1"')

    first, body = await api.call("GET", path)
    second, again = await api.call("GET", path)

    assert first.headers["X-Zip-Layout"] == "stored-blocks"
    assert first.headers["Content-Length"] == str(len(body))
    assert first.headers["ETag"] == second.headers["ETag"]
    assert body == again
    assert contents(body) == {"film": FILM}


async def test_a_source_that_names_no_version_gives_no_etag(api: Api, source: Source) -> None:
    source.serve("/film", FILM)

    response, body = await api.call("GET", f"/v1/zip?url={source.url}/film")

    assert response.headers["Content-Length"] == str(len(body))
    assert "ETag" not in response.headers


async def test_a_download_that_broke_goes_on_and_asks_for_what_it_takes(
    api: Api, source: Source
) -> None:
    wanted = {"first": FILM[: 2 * MIB], "film": FILM, "last": FILM[:100]}
    urls = [source.serve(f"/{name}", data, etag='"v1"') for name, data in wanted.items()]
    link = await link_to(api, {"urls": urls})
    start = await begun(api, link["url"], 9 * MIB)
    assert await eventually(lambda: api.services.traffic.transfers == 0)
    source.requests.clear()

    response, rest = await api.call(
        "GET", link["url"], Range=f"bytes={len(start)}-", If_Range=link["etag"]
    )

    assert response.status == 206
    assert contents(start + rest) == wanted
    # From the checkpoint before the place, for the CRC-32; then the last file, which is whole.
    asked = {seen.path: seen.headers.get("range") for seen in source.requests}
    assert asked == {"/film": f"bytes={4 * MIB}-{len(FILM) - 1}", "/last": None}


async def test_what_is_told_is_no_version_so_there_are_no_ranges(api: Api, source: Source) -> None:
    """A CRC-32 cannot be held against a part of a file: a resume could splice two of them."""
    lie = told(source, "film", FILM[:MIB], crc32="00000000")
    link = await link_to(api, {"urls": [lie, told(source, "last", FILM[:5])]})

    asked = f"bytes={link['size'] - 50}-"
    async with api.session.get(link["url"], headers={"Range": asked}) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()

    assert link["etag"] is None
    assert response.status == 200
    assert "ETag" not in response.headers
    assert response.headers["Accept-Ranges"] == "none"


async def test_what_changed_meanwhile_is_not_gone_on_with(api: Api, source: Source) -> None:
    path = "/v1/zip?url=" + source.serve("/film", FILM, etag='"v1"')
    before, _ = await api.call("HEAD", path)
    start = await begun(api, path, 6 * MIB)
    other = FILM[::-1]
    source.serve("/film", other, etag='"v2"')
    asked = {"Range": f"bytes={len(start)}-", "If_Range": before.headers["ETag"]}

    with pytest.raises(aiohttp.ClientPayloadError):
        await api.call("GET", path, **asked)
    response, body = await api.call("GET", path, **asked)

    assert response.status == 200
    assert contents(body) == {"film": other}


async def test_two_sources_that_name_the_same_version_are_kept_apart(
    api: Api, source: Source
) -> None:
    async with faulty() as another:
        for server, data in ((source, FILM[:MIB]), (another, FILM[-MIB:])):
            url = server.serve("/film", data, etag='"v1"', last_modified=1_700_000_000)

            assert contents(await api.get(f"/v1/zip?url={url}")) == {"film": data}


async def test_nobody_reads_with_the_credentials_of_another(api: Api, source: Source) -> None:
    url = source.serve("/film", FILM[:MIB], etag='"v1"')
    for secret in ("mine", "yours"):
        source.requests.clear()
        urls = [{"url": url, "headers": {"Authorization": secret}}]

        came = await python(f"http://127.0.0.1:{api.port}/v1/zip", {"urls": urls})

        assert verdict(came, {"film": FILM[:MIB]}) == "whole"
        assert {seen.headers["authorization"] for seen in source.requests} == {secret}


async def test_sources_are_asked_a_few_at_a_time(start_api: StartApi, source: Source) -> None:
    api = await start_api(remote_allow="127.0.0.1", remote_probes=3, remote_connections=1)
    # The question is a GET of one byte then, which comes 50 ms late.
    slow: dict[str, Any] = {"head_faults": [status(405)], "faults": [throttle(20)]}
    for number in range(12):
        source.serve(f"/{number}", FILM[:1000], etag='"v1"', **slow)

    link = await link_to(api, {"urls": [f"{source.url}/{number}" for number in range(12)]})

    assert link["entries"] == 12
    assert source.most_open == 3


@pytest.mark.parametrize(("zips", "connections"), [(1, 2), (3, 6)])
@pytest.mark.parametrize("compress", ["store", "deflate"])
async def test_each_zip_takes_its_connections_and_no_more(
    start_api: StartApi, source: Source, compress: str, zips: int, connections: int
) -> None:
    api = await start_api(remote_allow="127.0.0.1", remote_connections=2)
    wanted = {f"{number}": FILM[: 2000 + number] for number in range(10)}
    urls = [told(source, name, data) for name, data in wanted.items()]
    for file in source.files.values():
        file.always = throttle(40_000)
    spec = {"urls": urls, "compress": compress}

    async with asyncio.TaskGroup() as group:
        url = f"http://127.0.0.1:{api.port}/v1/zip"
        answers = [group.create_task(python(url, spec)) for _ in range(zips)]

    assert [verdict(answer.result(), wanted) for answer in answers] == ["whole"] * zips
    assert source.most_open == connections


async def test_what_a_link_asked_is_not_asked_again(api: Api, source: Source) -> None:
    urls = [source.serve(f"/{number}", FILM[:1000], etag='"v1"') for number in range(20)]
    link = await link_to(api, {"urls": urls})

    await api.get(link["url"])
    await api.get(link["url"])

    assert sum(seen.method == "HEAD" for seen in source.requests) == 20
    assert all(gets(source, f"/{number}") == 2 for number in range(20))


async def test_what_was_stored_since_is_in_the_next_zip(api: Api, source: Source) -> None:
    await api.put("p/one", b"1")
    path = "/v1/zip?prefix=p/&url=" + source.serve("/film", FILM[:1000], etag='"v1"')
    await api.get(path)

    await api.put("p/two", b"2")

    assert contents(await api.get(path)).keys() == {"p/one", "p/two", "film"}


async def test_what_failed_is_asked_again(api: Api, source: Source) -> None:
    path = f"/v1/zip?url={source.url}/film&on_error=report"
    await api.get(path)

    source.serve("/film", FILM[:1000], etag='"v1"')

    assert contents(await api.get(path)) == {"film": FILM[:1000]}


async def test_empty_files_among_others_cost_no_second_request(api: Api, source: Source) -> None:
    wanted = {f"{number}": FILM[: 1000 * (number % 3)] for number in range(12)}
    urls = [source.serve(f"/{name}", data, etag='"v1"') for name, data in wanted.items()]
    link = await link_to(api, {"urls": urls})
    source.requests.clear()

    assert contents(await api.get(link["url"])) == wanted
    assert all(gets(source, f"/{number}") == (number % 3 > 0) for number in range(12))


async def test_compressed_types_of_unknown_crc32_are_not_deflated(api: Api, source: Source) -> None:
    wanted = {"photo.jpg": bytes(100_000), "text.txt": bytes(100_000)}
    urls = [source.serve(f"/{name}", data, etag='"v1"') for name, data in wanted.items()]

    came = await python(f"http://127.0.0.1:{api.port}/v1/zip", {"urls": urls, "compress": "auto"})

    with zipfile.ZipFile(BytesIO(came.body)) as archive:
        sizes = {info.filename: info.compress_size for info in archive.infolist()}
    assert sizes["photo.jpg"] >= 100_000
    assert sizes["text.txt"] < 1000


@pytest.mark.parametrize("name", ["\ud800", "two\nlines: and more", "bell\a"])
async def test_a_report_can_name_whatever_was_asked_for(
    api: Api, source: Source, name: str
) -> None:
    urls = [{"url": f"{source.url}/none", "name": name}]

    came = await python(f"http://127.0.0.1:{api.port}/v1/zip", {"urls": urls, "on_error": "report"})

    report = contents(came.body)["_download_errors.txt"].decode()
    assert len(report.splitlines()) == 10
    assert report.splitlines()[-1].endswith(": HTTP 404")


@pytest.mark.parametrize(
    "spec",
    [
        {"urls": [{"url": "http://127.0.0.1/x", "size": 2**63}]},
        {"urls": [{"url": "http://x/", "size": 1, "modified": "9999-12-31T23:59:59-23:00"}]},
        {"urls": [{"url": "http://x/", "size": 1, "crc32": "0x1234_5"}]},
        {"urls": ["http://x/"], "name": "\ud800"},
    ],
    ids=["size", "modified", "crc32", "name"],
)
async def test_what_cannot_be_is_refused(api: Api, spec: Spec) -> None:
    came = await python(f"http://127.0.0.1:{api.port}/v1/zips", spec)

    assert (came.status, came.document["code"]) == (400, "bad-request")


async def test_too_deep_a_document_is_refused(api: Api) -> None:
    response, _ = await api.call("POST", "/v1/zips", "[" * 100_000, Content_Type="application/json")

    assert response.status == 400


async def test_too_many_urls_are_refused(start_api: StartApi) -> None:
    api = await start_api(max_zip_urls=2)

    came = await python(f"http://127.0.0.1:{api.port}/v1/zip", {"urls": ["http://x/"] * 3})

    assert came.status == 413
