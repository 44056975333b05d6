"""Links to put files by."""

import asyncio
import base64
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from penstock.access import Scope
from penstock.access.tokens import Wish
from penstock.stores import local_writer
from tests.eventually import eventually
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


async def test_what_is_too_large_for_the_server_has_no_place_for_a_moment(
    start_api: StartApi,
) -> None:
    api = await start_api(max_body=1000)
    bearer = bearer_of(await share(api, kind="upload", prefix="in/", most=1))
    assert await put(api, bearer, "in/a", b"x") == 201

    # Were it counted before it is refused, the refusal would be that no place is left.
    assert (await begin(api, bearer, "in/large", 1001))[0] == 413


class Held:
    """Work in a thread that does not end before it is let go."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self._work = work
        self._going = threading.Event()
        self.has_begun = threading.Event()

    def __call__(self, *arguments: Any) -> Any:
        self.has_begun.set()
        self._going.wait(30)
        return self._work(*arguments)

    def let_go(self) -> None:
        self._going.set()


async def hang_up(putting: asyncio.Task[int], work: Held) -> None:
    """Leave when that work is under way."""
    assert await eventually(work.has_begun.is_set, 30)
    putting.cancel()
    await asyncio.wait([putting])


async def test_who_hangs_up_while_a_file_is_stored_has_used_its_place(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "penstock")
    made = await share(api, kind="upload", prefix="in/", most=1)
    storing = Held(local_writer.publish)
    monkeypatch.setattr(local_writer, "publish", storing)

    putting = asyncio.create_task(put(api, bearer_of(made), "in/a", b"x"))
    await hang_up(putting, storing)
    assert await eventually(lambda: _statuses(caplog) == [499], 30)
    storing.let_go()

    assert await _is_there(api, "/v1/files/in/a")
    assert await left(api, made) == 0


def _statuses(caplog: pytest.LogCaptureFixture) -> list[int]:
    """How requests to put a file ended."""
    lines = [vars(record).get("fields", {}) for record in caplog.records]
    return [line["status"] for line in lines if line.get("method") == "PUT"]


async def _is_there(api: Api, path: str) -> bool:
    for _ in range(600):
        if await status(api, path) == 200:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_who_hangs_up_while_a_place_is_taken_gives_it_back(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "penstock")
    made = await share(api, kind="upload", prefix="in/", most=1)
    commits = api.services.shares._catalog._commits
    counting = Held(commits._commit)
    monkeypatch.setattr(commits, "_commit", counting)

    putting = asyncio.create_task(put(api, bearer_of(made), "in/a", b"x"))
    await hang_up(putting, counting)
    # The request is cancelled, and waits for the commit.
    assert await eventually(lambda: any(task.cancelling() for task in asyncio.all_tasks()), 30)
    counting.let_go()

    assert await eventually(lambda: _statuses(caplog) == [499], 30)
    assert await left(api, made) == 1
    assert await status(api, "/v1/files/in/a") == 404
