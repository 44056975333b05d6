"""/v1/zip and /v1/zips: a ZIP made while it is sent."""

import asyncio
import io
import json
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.conftest import Api, StartApi

BIG = bytes(range(256)) * 1000
FILES = {
    "photos/a.txt": b"alpha",
    "photos/empty": b"",
    "photos/sub/big.bin": BIG,
    "photos/sub/日本.txt": b"unicode",
    "x/what?.txt": b"odd",
}
ALL = {"prefixes": ["photos/"], "keys": ["x/what?.txt"]}


@pytest.fixture(params=["", "memory://"], ids=["local", "memory"])
async def stocked(request: pytest.FixtureRequest, start_api: StartApi) -> Api:
    """An application that holds FILES."""
    api = await start_api(store=request.param)
    for key, data in FILES.items():
        await api.put(key.replace("?", "%3F"), data)
    return api


async def post(api: Api, path: str, spec: object, **headers: str) -> tuple[int, bytes]:
    response, body = await api.call(
        "POST", path, json.dumps(spec), Content_Type="application/json", **headers
    )
    return response.status, body


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


async def test_a_folder_comes_as_a_zip_of_known_length(stocked: Api) -> None:
    response, body = await stocked.call("GET", "/v1/zip?prefix=photos/")

    assert response.status == 200
    assert response.headers["Content-Type"] == "application/zip"
    assert response.headers["Content-Length"] == str(len(body))
    assert response.headers["Content-Disposition"] == 'attachment; filename="photos.zip"'
    assert contents(body) == {key: data for key, data in FILES.items() if key[0] == "p"}


async def test_keys_and_prefixes_come_in_one_zip(stocked: Api) -> None:
    status, body = await post(stocked, "/v1/zip", ALL)

    assert status == 200
    assert contents(body)["x/what_.txt"] == b"odd"
    assert len(contents(body)) == 5


async def test_the_same_request_gives_the_same_bytes(stocked: Api) -> None:
    first, body = await stocked.call("GET", "/v1/zip?prefix=photos/")
    second, again = await stocked.call("GET", "/v1/zip?prefix=photos/")

    assert body == again
    assert first.headers["ETag"] == second.headers["ETag"]


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(data=st.data())
async def test_any_range_is_the_slice_of_the_whole(stocked: Api, data: st.DataObject) -> None:
    head, _ = await stocked.call("HEAD", "/v1/zip?prefix=photos/")
    size = int(head.headers["Content-Length"])
    start = data.draw(st.integers(0, size - 1))
    stop = data.draw(st.integers(start + 1, size))
    whole = await stocked.get("/v1/zip?prefix=photos/")

    part = await stocked.get(
        "/v1/zip?prefix=photos/", Range=f"bytes={start}-{stop - 1}", If_Range=head.headers["ETag"]
    )

    assert part == whole[start:stop]


async def test_a_changed_member_gives_another_etag(stocked: Api) -> None:
    before, _ = await stocked.call("HEAD", "/v1/zip?prefix=photos/")
    await stocked.put("photos/a.txt", b"alpha")
    response, _ = await stocked.call(
        "GET", "/v1/zip?prefix=photos/", Range="bytes=0-9", If_Range=before.headers["ETag"]
    )

    assert response.status == 200


async def test_a_missing_key_is_told_before_the_first_byte(stocked: Api) -> None:
    status, body = await post(stocked, "/v1/zip", {"keys": ["photos/a.txt", "nope", "no"]})

    problem = json.loads(body)
    assert (status, problem["code"], problem["missing"]) == (404, "not-found", ["nope", "no"])


@pytest.mark.parametrize("spec", [{}, {"keys": []}, [], {"keys": ["../x"]}])
async def test_a_selection_that_cannot_be_is_refused(stocked: Api, spec: object) -> None:
    assert (await post(stocked, "/v1/zip", spec))[0] == 400


async def test_a_post_of_what_the_client_has_fails_its_precondition(stocked: Api) -> None:
    assert (await post(stocked, "/v1/zip", ALL, If_None_Match="*"))[0] == 412


async def test_a_link_can_be_fetched_with_get_and_ranges(stocked: Api) -> None:
    status, body = await post(stocked, "/v1/zips", ALL | {"name": "all"})
    link = json.loads(body)

    whole = await stocked.get(link["url"])
    part = await stocked.get(link["url"], Range="bytes=100-199", If_Range=link["etag"])

    assert status == 201
    assert part == whole[100:200]
    assert (link["size"], link["entries"], link["name"]) == (len(whole), 5, "all.zip")
    assert link["crc32"] == f"{zlib.crc32(whole):08x}"
    assert link["renamed"] == [{"from": "x/what?.txt", "to": "x/what_.txt"}]


async def test_a_link_expires(start_api: StartApi) -> None:
    api = await start_api(zip_expiry=0.3)
    await api.put("a", b"x")
    _, body = await post(api, "/v1/zips", {"keys": ["a"]})
    url = json.loads(body)["url"]

    assert len(await api.get(url)) > 0
    await asyncio.sleep(0.4)
    response, _ = await api.call("GET", url)

    assert response.status == 404


async def test_strangers_files_are_read_once_for_their_crc(api: Api) -> None:
    folder = api.services.settings.data / "files/old"
    await asyncio.to_thread(folder.mkdir)
    for number in range(30):
        await asyncio.to_thread((folder / f"{number}").write_bytes, b"%d" % number)

    found = contents(await api.get("/v1/zip?prefix=old/"))

    assert found == {f"old/{number}": b"%d" % number for number in range(30)}


async def test_a_member_that_vanishes_cuts_the_zip(api: Api) -> None:
    big = api.services.settings.data / "files/z/b"
    await api.put("z/a", bytes(0))
    await api.put("z/b", b"x")
    await api.put("z/c", b"x")
    await asyncio.to_thread(big.write_bytes, bytes(64 << 20))
    await api.get("/v1/zip?prefix=z/", Range="bytes=0-0")
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=1 << 16)
    writer.write(b"GET /v1/zip?prefix=z/ HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")

    await asyncio.to_thread((big.parent / "c").unlink)
    try:
        received = len(await reader.read())
    except ConnectionResetError:
        received = 0

    length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    assert received < length
    writer.close()


async def test_a_query_with_nothing_selected_is_refused(api: Api) -> None:
    response, _ = await api.call("GET", "/v1/zip")

    assert response.status == 400


async def test_too_many_entries_are_refused(start_api: StartApi) -> None:
    api = await start_api(max_zip_entries=1)
    await api.put("a", b"x")
    await api.put("b", b"x")

    response, _ = await api.call("GET", "/v1/zip?prefix=")

    assert response.status == 413


@pytest.mark.parametrize("compress", ["store", "deflate"])
@pytest.mark.parametrize("field", ["If_Modified_Since", "If_Unmodified_Since"])
async def test_a_zip_has_no_time_of_its_own_to_ask_for(
    stocked: Api, field: str, compress: str
) -> None:
    past_and_future = {
        "If_Modified_Since": "Fri, 01 Jan 2038 00:00:00 GMT",
        "If_Unmodified_Since": "Thu, 01 Jan 1970 00:00:00 GMT",
    }

    response, _ = await stocked.call(
        "GET", f"/v1/zip?prefix=photos/&compress={compress}", **{field: past_and_future[field]}
    )

    assert response.status == 200
