"""The audit log over HTTP: what is in it, and who may read it."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.conftest import StartServer
from tests.server.conftest import Api, StartApi
from tests.server.entering import (
    PASSWORD,
    basic,
    bearer,
    guarded,
    log_in,
    status_of,
    token_for,
)

ADMIN = basic("admin", PASSWORD)


@pytest.fixture
async def guard(start_api: StartApi) -> Api:
    """An application that asks for tokens and logins."""
    return await guarded(start_api)


async def lines(api: Api, query: str = "") -> list[dict[str, Any]]:
    response, body = await api.call("GET", f"/v1/audit?{query}", **ADMIN)
    assert response.status == 200
    found: list[dict[str, Any]] = json.loads(body)["lines"]
    return found


async def told(api: Api, query: str = "") -> list[tuple[str, str, int]]:
    """Action, subject and status of each line, the newest first."""
    return [(line["action"], line["subject"], line["status"]) for line in await lines(api, query)]


async def test_it_says_who_did_what_and_how_that_went(guard: Api) -> None:
    text = await token_for(guard, "read", "write")
    identity = text.split("_")[1]

    response, _ = await guard.call("PUT", "/v1/files/a/b.txt", b"abc", **bearer(text))
    await guard.call("GET", "/v1/files/a/b.txt", **bearer(text))
    await guard.call("GET", "/v1/files/missing", **bearer(text))
    await guard.call("DELETE", "/v1/files/a/b.txt", **bearer(text))

    assert await told(guard) == [
        ("file.remove", "a/b.txt", 204),
        ("file.get", "a/b.txt", 200),
        ("file.put", "a/b.txt", 201),
    ]
    oldest = (await lines(guard))[-1]
    assert oldest.pop("time").endswith("Z")
    assert isinstance(oldest.pop("id"), int)
    assert oldest == {
        "actor": f"token:{identity}",
        "name": "a test",
        "action": "file.put",
        "subject": "a/b.txt",
        "status": 201,
        "remote": "127.0.0.1",
        "request_id": response.headers["X-Request-ID"],
    }


async def test_a_change_that_fails_is_noted_with_its_status(guard: Api) -> None:
    text = await token_for(guard, "write")

    await guard.call("PUT", "/v1/files/a", b"abc", Content_Encoding="gzip", **bearer(text))

    assert await told(guard) == [("file.put", "a", 415)]


async def test_a_download_in_many_pieces_is_one_line(guard: Api) -> None:
    text = await token_for(guard, "read", "write")
    await guard.call("PUT", "/v1/files/a", b"x" * 100, **bearer(text))

    for start in range(0, 100, 10):
        await guard.call("GET", "/v1/files/a", Range=f"bytes={start}-{start + 9}", **bearer(text))
    await guard.call("HEAD", "/v1/files/a", **bearer(text))

    assert await told(guard, "action=file.get") == [("file.get", "a", 206)]


async def test_logins_and_tokens_are_noted_before_the_answer(guard: Api) -> None:
    login = await log_in(guard, PASSWORD)
    wish = json.dumps({"name": "camera", "scopes": ["write"], "prefix": "x/"}).encode()
    _, body = await guard.call(
        "POST", "/v1/tokens", wish, Content_Type="application/json", **login.headers
    )
    identity = json.loads(body)["id"]
    await status_of(guard, "DELETE", f"/v1/tokens/{identity}", login.headers)
    await status_of(guard, "POST", "/logout", login.headers)

    rows = await guard.services.access.audit._book.page(10)  # what is in the catalog by now
    assert [(row.actor, row.action, row.subject) for row in rows] == [
        ("login", "logout", ""),
        ("login", "token.remove", identity),
        ("login", "token.add", f"{identity} camera: write below x/"),
        ("login", "login", ""),
    ]


async def test_a_flood_of_wrong_tokens_is_few_lines(guard: Api) -> None:
    for number in range(60):
        await status_of(guard, "PUT", f"/v1/files/{number}", bearer("pst_wrong"))
    for _ in range(20):
        await status_of(guard, "GET", "/v1/files", {})

    assert await told(guard) == [("login.failed", "PUT /v1/files/0", 401)]


async def test_what_a_token_is_not_good_for_is_noted(guard: Api) -> None:
    text = await token_for(guard, "read", prefix="x/")

    await status_of(guard, "DELETE", "/v1/files/x/a", bearer(text))
    await status_of(guard, "GET", "/v1/files/y", bearer(text))

    (line,) = await lines(guard)
    assert (line["action"], line["subject"]) == ("access.denied", "DELETE /v1/files/x/a")
    assert line["actor"] == f"token:{text.split('_')[1]}"


async def test_pages_go_on_where_the_one_before_ended(guard: Api) -> None:
    text = await token_for(guard, "write")
    for number in range(5):
        await guard.call("PUT", f"/v1/files/{number}", b"", **bearer(text))

    seen: list[str] = []
    after = ""
    while True:
        _, body = await guard.call("GET", f"/v1/audit?limit=2&after={after}", **ADMIN)
        page = json.loads(body)
        seen += [line["subject"] for line in page["lines"]]
        if page["next"] is None:
            break
        after = page["next"]

    assert seen == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize("query", ["after=x", "limit=0", "action=%00", "actor=a%20b"])
async def test_what_can_be_no_page_is_refused(guard: Api, query: str) -> None:
    assert await status_of(guard, "GET", f"/v1/audit?{query}", ADMIN) == 400


async def test_only_who_may_do_everything_reads_it(guard: Api) -> None:
    for scopes, prefix in ((["read", "write", "archive"], ""), (["admin"], "x/")):
        text = await token_for(guard, *scopes, prefix=prefix)
        assert await status_of(guard, "GET", "/v1/audit", bearer(text)) == 403


async def test_nothing_is_noted_where_access_is_off(api: Api) -> None:
    await api.put("a", b"x")

    _, body = await api.call("GET", "/v1/audit")

    assert json.loads(body) == {"lines": [], "next": None}


async def test_what_waits_is_written_before_a_server_ends(start_server: StartServer) -> None:

    server = start_server(access="on", dashboard_password=PASSWORD)
    async with (
        aiohttp.ClientSession(server.url, headers=ADMIN) as session,
        session.put("/v1/files/a", data=b"x") as response,
    ):
        assert response.status == 201
    assert await asyncio.to_thread(server.stop) == 0

    again = start_server(server.data, access="on", dashboard_password=PASSWORD)
    async with (
        aiohttp.ClientSession(again.url, headers=ADMIN) as session,
        session.get("/v1/audit") as response,
    ):
        found = (await response.json())["lines"]
    assert [(line["action"], line["subject"]) for line in found] == [("file.put", "a")]


async def test_whichever_way_a_file_comes_its_key_is_noted(guard: Api) -> None:
    write = bearer(await token_for(guard, "write"))
    form = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n1\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="g"\r\n\r\n2\r\n--x--\r\n'
    )
    kind = "multipart/form-data; boundary=x"

    await guard.call("POST", "/v1/files", form, Content_Type=kind, **write)
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "3", "Upload-Metadata": "filename dA=="}
    await guard.call("POST", "/v1/uploads", **tus, **write)
    await guard.call("POST", "/upload", b"x", X_File_Name="s", **write)
    begun, _ = await guard.call("POST", "/file-upload", form, Content_Type=kind, **write)

    assert begun.status < 300
    assert (await told(guard))[1:] == [
        ("file.put", "s", 200),
        ("upload.begin", "t", 201),
        ("file.put", "f, g", 201),
    ]
    action, subject, _ = (await told(guard))[0]
    assert action == "file.put"
    assert subject.endswith("-f")


async def test_a_method_in_a_header_field_hides_nothing(guard: Api) -> None:
    text = await token_for(guard, "write")
    tus = {"Tus-Resumable": "1.0.0", **bearer(text)}
    fields = {"Upload-Length": "5", "Upload-Metadata": "filename a2V5", **tus}
    response, _ = await guard.call("POST", "/v1/uploads", **fields)
    upload = response.headers["Location"]

    response, _ = await guard.call("POST", upload, **tus, X_HTTP_Method_Override="DELETE")

    assert response.status == 204
    assert await told(guard) == [
        ("upload.cancel", upload.rpartition("/")[2], 204),
        ("upload.begin", "key", 201),
    ]
