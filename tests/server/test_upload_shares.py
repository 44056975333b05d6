"""Links to put files by."""

import asyncio
import base64

from penstock.access import Scope
from penstock.access.tokens import Wish
from tests.server.conftest import Api, StartApi
from tests.server.sharing import bearer_of, left, page_of, share, status

TUS = {"Tus_Resumable": "1.0.0"}


def metadata(name: str) -> str:
    return f"filename {base64.b64encode(name.encode()).decode()}"


async def begin(api: Api, bearer: str, name: str, size: int, **headers: str) -> tuple[int, str]:
    """Begin an upload by tus; answers the status and where to go on."""
    fields = {"Upload_Metadata": metadata(name), "Upload_Length": str(size), **TUS, **headers}
    response, _ = await api.call("POST", "/v1/uploads", Authorization=bearer, **fields)
    return response.status, response.headers.get("Location", "")


async def append(api: Api, bearer: str, url: str, offset: int, data: bytes) -> int:
    response, _ = await api.call(
        "PATCH",
        url,
        data,
        Authorization=bearer,
        Upload_Offset=str(offset),
        Content_Type="application/offset+octet-stream",
        **TUS,
    )
    return response.status


async def put(api: Api, bearer: str, key: str, data: bytes) -> int:
    response, _ = await api.call("PUT", f"/v1/files/{key}", data, Authorization=bearer)
    return response.status


async def test_files_are_put_into_the_folder(api: Api) -> None:
    made = await share(api, kind="upload", prefix="in/", title="Photos")
    bearer = bearer_of(made)

    code, url = await begin(api, bearer, "in/a/photo.jpg", 5)
    assert code == 201
    assert await append(api, bearer, url, 0, b"he") == 204
    assert await status(api, url, "HEAD", Authorization=bearer, **TUS) == 200
    assert await append(api, bearer, url, 2, b"llo") == 204

    assert await api.get("/v1/files/in/a/photo.jpg") == b"hello"


async def test_who_puts_files_sees_replaces_and_removes_none(api: Api) -> None:
    await api.put("in/there.txt", b"theirs")
    bearer = bearer_of(await share(api, kind="upload", prefix="in/"))

    assert await put(api, bearer, "in/there.txt", b"mine") == 412
    assert (await begin(api, bearer, "in/there.txt", 4))[0] == 412
    assert await put(api, bearer, "out.txt", b"mine") == 403
    assert (await begin(api, bearer, "out.txt", 4))[0] == 403
    for method, path in (
        ("GET", "/v1/files/in/there.txt"),
        ("DELETE", "/v1/files/in/there.txt"),
        ("GET", "/v1/files?prefix=in/"),
        ("GET", "/v1/zip?prefix=in/"),
        ("GET", "/v1/uploads?key=in/there.txt"),
        ("GET", "/v1/shares"),
        ("POST", "/v1/shares"),
    ):
        assert await status(api, path, method, Authorization=bearer) == 403, path
    assert await api.get("/v1/files/in/there.txt") == b"theirs"


async def test_no_more_files_are_taken_than_were_asked_for(api: Api) -> None:
    made = await share(api, kind="upload", prefix="in/", most=3)
    bearer = bearer_of(made)

    codes = await asyncio.gather(
        *(put(api, bearer, f"in/{number}", b"x") for number in range(4)),
        *(begin(api, bearer, f"in/tus-{number}", 1) for number in range(4)),
    )

    taken = [code for code in codes if code == 201 or (isinstance(code, tuple) and code[0] == 201)]
    assert len(taken) == 3
    assert await left(api, made) == 0


async def test_no_larger_files_are_taken(api: Api) -> None:
    bearer = bearer_of(await share(api, kind="upload", prefix="in/", most_bytes=10))

    assert await put(api, bearer, "in/small", b"x" * 10) == 201
    assert await put(api, bearer, "in/large", b"x" * 11) == 413
    assert (await begin(api, bearer, "in/large", 11))[0] == 413
    response, _ = await api.call(
        "POST",
        "/v1/uploads",
        Authorization=bearer,
        Upload_Metadata=metadata("in/unknown"),
        Upload_Defer_Length="1",
        **TUS,
    )
    assert response.status == 400
    partial = await begin(api, bearer, "in/part", 5, Upload_Concat="partial")
    assert partial[0] == 403


async def test_what_is_not_begun_or_is_cancelled_gives_its_place_back(api: Api) -> None:
    await api.put("in/there", b"x")
    made = await share(api, kind="upload", prefix="in/", most=1)
    bearer = bearer_of(made)

    assert await put(api, bearer, "in/there", b"mine") == 412
    assert await left(api, made) == 1
    _, url = await begin(api, bearer, "in/new", 4)
    assert await left(api, made) == 0
    assert await status(api, url, "DELETE", Authorization=bearer, **TUS) == 204
    assert await left(api, made) == 1


async def test_a_file_that_is_stored_keeps_its_place(api: Api) -> None:
    made = await share(api, kind="upload", prefix="in/", most=1)
    bearer = bearer_of(made)
    _, url = await begin(api, bearer, "in/new", 4)
    assert await append(api, bearer, url, 0, b"data") == 204

    await status(api, url, "DELETE", Authorization=bearer, **TUS)

    assert await left(api, made) == 0
    assert await put(api, bearer, "in/other", b"x") == 403


async def test_an_upload_goes_on_though_no_more_are_taken_but_not_after_the_end(api: Api) -> None:
    made = await share(api, kind="upload", prefix="in/", most=1)
    bearer = bearer_of(made)
    _, url = await begin(api, bearer, "in/new", 4)
    assert await put(api, bearer, "in/other", b"x") == 403

    assert await append(api, bearer, url, 0, b"da") == 204
    await status(api, f"/v1/shares/{made['id']}", "DELETE")

    assert await append(api, bearer, url, 2, b"ta") == 401


async def test_a_password_becomes_a_token(api: Api) -> None:
    made = await share(api, kind="upload", prefix="in/", password="pw")
    assert await put(api, bearer_of(made), "in/a", b"x") == 401

    async with api.session.post(page_of(made), json={"password": "no"}) as response:
        assert response.status == 401
    async with api.session.post(page_of(made), json={"password": "pw"}) as response:
        token = (await response.json())["token"]

    assert await put(api, f"Bearer {token}", "in/a", b"x") == 201
    assert await put(api, f"Bearer {token}x", "in/b", b"x") == 401


async def test_a_link_to_fetch_by_is_no_token(api: Api) -> None:
    await api.put("a", b"x")
    made = await share(api, keys=["a"])

    assert await put(api, bearer_of(made), "b", b"x") == 401


async def test_by_a_link_to_put_files_none_is_fetched(api: Api) -> None:
    made = await share(api, kind="upload", prefix="in/")

    assert await status(api, f"{page_of(made)}/file") == 404


async def test_files_can_be_asked_for_where_tokens_are(start_api: StartApi) -> None:
    api = await start_api(access="on")
    wish = Wish("of a test", [Scope.WRITE])
    _, maker = await api.services.access.tokens.add(wish, "test")
    made = await share(api, maker, kind="upload", prefix="in/")

    assert await put(api, bearer_of(made), "in/a", b"x") == 201
    assert await put(api, "Bearer shr_made.up", "in/b", b"x") == 401

    await api.services.access.remove_token(maker.split("_")[1])
    assert await put(api, bearer_of(made), "in/c", b"x") == 401


async def test_a_big_file_is_put_by_a_plain_put_and_counted_once(start_api: StartApi) -> None:
    api = await start_api(resume_from=1000)
    made = await share(api, kind="upload", prefix="in/", most=2)

    assert await put(api, bearer_of(made), "in/a", b"x" * 5000) == 201

    assert await left(api, made) == 1
