"""``/s3``: what Companion's S3 routes answer, and what they must not."""

import asyncio
import json
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.s3.files import MIB, content
from tests.s3.servers import S3Server
from tests.s3.test_direct import posted, sent
from tests.s3.uploads import calls_to, names_in, uploads_in
from tests.server.conftest import Api, StartApi, start_api
from tests.server.granting import FOLDER, guarded, with_token

__all__ = ["start_api"]

JSON = {"Content_Type": "application/json"}

# What is refused here does not depend on the server.
on_one = pytest.mark.parametrize("s3_server", ["ministack"], indirect=True)


@pytest.fixture
async def api(start_api: StartApi, s3_server: S3Server, prefix: str) -> Api:
    return await start_api(**s3_server.settings(prefix))


async def asked(api: Api, method: str, path: str, document: object = None) -> tuple[int, Any]:
    """Status and JSON of the answer."""
    data = None if document is None else json.dumps(document).encode()
    response, body = await api.call(method, path, data, **(JSON if data else {}))
    return response.status, json.loads(body)


async def begun(api: Api, **document: object) -> str:
    """Begin an upload; answers the path of it, with its key."""
    status, told = await asked(api, "POST", "/s3/multipart", document)
    assert status == 200, told
    return f"/s3/multipart/{quote(told['uploadId'], safe='')}|?key={quote(told['key'])}"


def below(path: str, what: str = "") -> str:
    return path.replace("|", what)


async def test_an_upload_in_parts_from_begin_to_end(
    api: Api, s3_server: S3Server, prefix: str
) -> None:
    data = content(6 * MIB)
    path = await begun(api, filename="é/a.mp4", type="video/mp4", metadata={"camera": "x"})
    _, one = await asked(api, "GET", below(path, "/1"))
    _, several = await asked(api, "GET", below(path, "/batch") + "&partNumbers=2,3")
    first = await asyncio.to_thread(sent, "PUT", one["url"], data[: 5 * MIB])
    second = await asyncio.to_thread(sent, "PUT", several["presignedUrls"]["2"], data[5 * MIB :])

    _, parts = await asked(api, "GET", below(path))
    status, told = await asked(api, "POST", below(path, "/complete"), {"parts": parts[::-1]})

    assert parts == [
        {"PartNumber": 1, "ETag": f'"{first[1]}"', "Size": 5 * MIB},
        {"PartNumber": 2, "ETag": f'"{second[1]}"', "Size": MIB},
    ]
    assert (one["expires"], sorted(several["presignedUrls"])) == (3600, ["2", "3"])
    assert (status, told["key"]) == (200, "é/a.mp4")
    assert urlsplit(told["location"]).path == quote(f"/{s3_server.bucket}/{prefix}/é/a.mp4")
    assert await api.get("/v1/files/%C3%A9/a.mp4") == data


@on_one
async def test_who_is_bound_to_a_folder_sends_nothing_elsewhere(
    start_api: StartApi, s3_server: S3Server, prefix: str
) -> None:
    api = await guarded(start_api, **s3_server.settings(prefix))
    bound = await with_token(api, prefix=FOLDER)
    path = f"/s3/multipart/anything|?key={quote('other/a', safe='')}"
    new = json.dumps({"filename": "other/a"})
    parts = json.dumps({"parts": [{"PartNumber": 1, "ETag": "e"}]})

    assert await bound.status("POST", "/s3/multipart", new, **JSON) == 403
    assert await bound.status("GET", "/s3/params?filename=other/a") == 403
    for method, what in (("GET", ""), ("GET", "/1"), ("GET", "/batch"), ("DELETE", "")):
        more = "&partNumbers=1" if what == "/batch" else ""
        assert await bound.status(method, below(path, what) + more) == 403
    assert await bound.status("POST", below(path, "/complete"), parts, **JSON) == 403
    new = json.dumps({"filename": f"{FOLDER}a"})
    assert await bound.status("POST", "/s3/multipart", new, **JSON) == 200


async def test_an_aborted_upload_is_gone(api: Api, s3_server: S3Server, prefix: str) -> None:
    path = await begun(api, filename="a")

    assert await asked(api, "DELETE", below(path)) == (200, {})
    assert (await asked(api, "DELETE", below(path)))[0] == 404
    assert await uploads_in(s3_server, prefix) == []


async def test_uploads_of_others_are_not_found(api: Api, s3_server: S3Server, prefix: str) -> None:
    ours = await begun(api, filename="a")
    async with calls_to(s3_server) as calls:
        foreign = await calls.create(f"{prefix}/a", {})
        for path in (
            f"/s3/multipart/{quote(foreign, safe='')}|?key=a",
            ours.replace("key=a", "key=b"),
            "/s3/multipart/..%2F..%2Fa|?key=a",
            "/s3/multipart/%FF|?key=a",
        ):
            parts = {"parts": [{"PartNumber": 1, "ETag": "a"}]}
            answers = [
                await asked(api, "GET", below(path)),
                await asked(api, "GET", below(path, "/1")),
                await asked(api, "GET", below(path, "/batch") + "&partNumbers=1"),
                await asked(api, "POST", below(path, "/complete"), parts),
                await asked(api, "DELETE", below(path)),
            ]
            assert [(status, told["code"]) for status, told in answers] == [(404, "not-found")] * 5
        assert len(await uploads_in(s3_server, prefix)) == 2
        await calls.abort(f"{prefix}/a", foreign)


@on_one
async def test_bad_keys_are_refused(api: Api, s3_server: S3Server, prefix: str) -> None:
    path = await begun(api, filename="a")
    before = await names_in(s3_server, prefix)

    for key in ["../a", ".penstock/multipart/x", "/a", "", "a\u0000", "a/"]:
        answers = [
            await asked(api, "POST", "/s3/multipart", {"filename": key}),
            await asked(api, "GET", f"/s3/params?filename={quote(key)}"),
            await asked(api, "GET", below(path, "/1").replace("key=a", f"key={quote(key)}")),
        ]
        assert [status for status, _ in answers] == [400] * 3

    assert await names_in(s3_server, prefix) == before


@on_one
async def test_what_cannot_be_begun_is_refused(api: Api) -> None:
    documents: list[object] = [
        [],
        {},
        {"filename": 1},
        {"filename": "a", "type": 1},
        {"filename": "a", "metadata": []},
        {"filename": "a", "metadata": {"x": {}}},
        {"filename": "a", "metadata": {"penstock-sha256": "0" * 64}},
        {"filename": "a", "metadata": {"x": "y" * 3000}},
    ]
    for document in documents:
        status, told = await asked(api, "POST", "/s3/multipart", document)

        assert (status, told.get("code")) == (400, "bad-request"), document


@on_one
async def test_parts_that_cannot_be_are_refused(api: Api) -> None:
    path = await begun(api, filename="a")
    wrong: list[object] = [
        None,
        [],
        ["a"],
        [{"PartNumber": 1}],
        [{"PartNumber": True, "ETag": "a"}],
        [{"PartNumber": 0, "ETag": "a"}],
        [{"PartNumber": 10_001, "ETag": "a"}],
        [{"PartNumber": 1, "ETag": "\ud800"}],
        [{"PartNumber": 1, "ETag": "a"}, {"PartNumber": 1, "ETag": "b"}],
        [{"PartNumber": 1, "ETag": "0" * 32}],
    ]
    for parts in wrong:
        status, told = await asked(api, "POST", below(path, "/complete"), {"parts": parts})

        assert (status, told.get("code")) == (400, "bad-request"), parts
    assert (await asked(api, "GET", below(path)))[0] == 200


@on_one
async def test_part_numbers_that_cannot_be_are_refused(api: Api) -> None:
    path = await begun(api, filename="a")

    for number in ["0", "10001", "x", "-1", "%31%20", "١"]:
        one = await asked(api, "GET", below(path, f"/{quote(number, safe='%')}"))
        several = await asked(api, "GET", below(path, "/batch") + f"&partNumbers=1,{quote(number)}")

        assert (one[0], several[0]) == (400, 400)


@on_one
async def test_a_file_that_is_too_large_is_dropped(
    start_api: StartApi, s3_server: S3Server, prefix: str
) -> None:
    api = await start_api(**s3_server.settings(prefix), max_body=1000)
    path = await begun(api, filename="a")
    _, signed = await asked(api, "GET", below(path, "/1"))
    _, etag = await asyncio.to_thread(sent, "PUT", signed["url"], bytes(1001))

    parts = {"parts": [{"PartNumber": 1, "ETag": etag}]}
    status, told = await asked(api, "POST", below(path, "/complete"), parts)

    assert (status, told["code"]) == (413, "too-large")
    assert await uploads_in(s3_server, prefix) == []


@on_one
async def test_a_file_that_was_in_a_folder_stays_there(api: Api) -> None:
    folder = {"relativePath": "2024/é/a.jpg", "name": "a.jpg"}

    inside = await begun(api, filename="a.jpg", metadata=folder)
    odd = await begun(api, filename="a.jpg", metadata={"relativePath": "b/c.jpg"})
    plain = await begun(api, filename="a.jpg", type=None, metadata={"relativePath": None})

    assert [path.partition("?key=")[2] for path in (inside, odd, plain)] == [
        quote("2024/é/a.jpg"),
        "a.jpg",
        "a.jpg",
    ]


async def test_a_form_is_told_wherever_it_is_to_be_posted(api: Api) -> None:
    query = "filename=%C3%A9.txt&type=text/plain&metadata[name]=%C3%A9.txt&metadata[x]=y"

    status, told = await asked(api, "GET", f"/s3/params?{query}")
    stored = await asyncio.to_thread(posted, told["url"], told["fields"], b"hello")

    assert (status, told["method"], stored) == (200, "POST", 201)
    assert told["fields"]["key"].endswith("é.txt")
    assert await api.get("/v1/files/%C3%A9.txt") == b"hello"


async def test_only_s3_takes_files_directly(start_api: StartApi) -> None:
    api = await start_api()

    status, told = await asked(api, "POST", "/s3/multipart", {"filename": "a"})

    assert (status, told["code"]) == (404, "not-found")
    assert "/v1/uploads" in told["detail"]
