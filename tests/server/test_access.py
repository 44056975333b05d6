"""The gate: who asks, what lets them in, and what keeps them out."""

import asyncio
import json
import time
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg import AsyncConnection
from sqlalchemy.exc import TimeoutError as NoConnection

from penstock.server.access.login import _checked
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

CHALLENGE = 'Bearer realm="Penstock"'
OPEN = ["/livez", "/readyz", "/health", "/static/app.css", "/login"]
PAGES = ["/", "/docs", "/dashboard", "/dashboard/"]


@pytest.fixture
async def guard(start_api: StartApi) -> Api:
    """An application that asks for tokens and logins."""
    return await guarded(start_api)


async def test_without_a_token_there_is_a_challenge(guard: Api) -> None:
    response, body = await guard.call("GET", "/v1/files")

    assert (response.status, response.headers["WWW-Authenticate"]) == (401, CHALLENGE)
    assert response.content_type == "application/problem+json"
    assert json.loads(body)["code"] == "login-needed"
    assert response.headers["X-Request-ID"]


@pytest.mark.parametrize("path", OPEN)
async def test_what_tells_nothing_is_open(guard: Api, path: str) -> None:
    assert await status_of(guard, "GET", path, {}) == 200


async def test_who_has_no_token_is_not_told_what_there_is(guard: Api) -> None:
    text = await token_for(guard, "read")

    for method, path in (("GET", "/v1/nothing"), ("GET", "/openapi.yaml"), ("PATCH", "/v1/files")):
        assert await status_of(guard, method, path, {}) == 401
    assert await status_of(guard, "GET", "/v1/nothing", bearer(text)) == 404
    assert await status_of(guard, "PATCH", "/v1/files", bearer(text)) == 405


async def test_a_token_comes_as_bearer_or_as_a_password(guard: Api) -> None:
    text = await token_for(guard, "read")

    for headers in (
        bearer(text),
        {"Authorization": f"bEARER   {text}"},
        basic("", text),
        basic("anybody", text),
    ):
        assert await status_of(guard, "GET", "/v1/files", headers) == 200
        assert await status_of(guard, "HEAD", "/v1/files", headers) == 200


async def test_the_operators_password_is_good_everywhere(guard: Api) -> None:
    headers = basic("admin", PASSWORD)

    for path in ("/v1/files", "/v1/tokens", "/dashboard", "/"):
        assert await status_of(guard, "GET", path, headers) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer pst_aaaaaaaaaaaa_" + "A" * 43},
        {"Authorization": "Bearer " + "A" * 5000},
        {"Authorization": "Digest username=admin"},
        {"Authorization": "Basic !!!"},
        basic("admin", "wrong"),
        {"Cookie": "penstock_session=" + "A" * 43},
        {"Cookie": "penstock_session="},
        {"Cookie": "penstock_session=" + "A" * 5000},
        {"Cookie": ";;;=,"},
    ],
    ids=str,
)
async def test_anything_else_is_refused(guard: Api, headers: dict[str, str]) -> None:
    assert await status_of(guard, "GET", "/v1/files", headers) == 401


async def test_a_token_in_the_url_is_not_looked_at(guard: Api) -> None:
    text = await token_for(guard, "read")

    for name in ("token", "access_token", "authorization", "secret"):
        assert await status_of(guard, "GET", f"/v1/files?{name}={text}", {}) == 401


async def test_a_wrong_token_is_not_made_good_by_a_cookie(guard: Api) -> None:
    login = await log_in(guard, PASSWORD)

    assert await status_of(guard, "GET", "/v1/files", login.headers) == 200
    assert await status_of(guard, "GET", "/v1/files", login.headers | bearer("pst_x")) == 401


async def test_a_token_is_good_for_its_scopes_only(guard: Api) -> None:
    reads = await token_for(guard, "read")

    response, body = await guard.call("PUT", "/v1/files/a.txt", b"a", **bearer(reads))

    assert response.status == 403
    assert json.loads(body)["code"] == "forbidden"
    assert "write" in json.loads(body)["detail"]
    assert await status_of(guard, "GET", "/v1/files/a.txt", bearer(reads)) == 404


async def test_many_wrong_tokens_do_not_slow_the_right_ones_of_the_same_address(
    guard: Api,
) -> None:
    text = await token_for(guard, "read")
    for _ in range(20):
        assert await status_of(guard, "GET", "/v1/files", bearer("pst_" + "a" * 56)) == 401

    assert await status_of(guard, "GET", "/v1/files", bearer(text)) == 200


async def test_wrong_passwords_are_slowed_and_then_refused(guard: Api) -> None:
    tries = [
        asyncio.create_task(status_of(guard, "GET", "/v1/files", basic("admin", f"guess {number}")))
        for number in range(16)
    ]
    done, waiting = await asyncio.wait(tries, timeout=2.0)

    assert waiting
    assert {await each for each in done} <= {401, 429}
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_removed_token_is_out_at_once(guard: Api) -> None:
    text = await token_for(guard, "read")
    assert await status_of(guard, "GET", "/v1/files", bearer(text)) == 200

    path = f"/v1/tokens/{text.split('_')[1]}"
    assert await status_of(guard, "DELETE", path, basic("admin", PASSWORD)) == 204

    assert await status_of(guard, "GET", "/v1/files", bearer(text)) == 401
    assert await status_of(guard, "DELETE", path, basic("admin", PASSWORD)) == 404


async def test_a_stream_of_events_ends_with_the_token(guard: Api) -> None:
    text = await token_for(guard, "archive")
    jobs = guard.services.jobs
    async with (
        asyncio.timeout(60),
        guard.session.get("/v1/jobs/events", headers=bearer(text)) as stream,
    ):
        assert stream.status == 200
        await stream.content.readuntil(b"\n\n")
        await guard.services.access.remove_token(text.split("_")[1])

        await jobs.pause("pull")
        rest = await stream.content.read()

    assert b'"paused": true' not in rest
    assert await status_of(guard, "GET", "/v1/jobs/events", bearer(text)) == 401


async def raw(api: Api, head: str, body: bytes = b"", until: int = -1) -> bytes:
    """Send bytes; answers what comes until the server closes the connection, or so many bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(head.replace("\n", "\r\n").encode() + body)
    async with asyncio.timeout(30):
        came = await reader.read(until)
    writer.close()
    return came


async def test_a_refused_upload_is_not_asked_for_its_body(guard: Api) -> None:
    came = await raw(
        guard,
        "PUT /v1/files/a.bin HTTP/1.1\nHost: x\nAuthorization: Bearer pst_x\n"
        "Expect: 100-continue\nContent-Length: 1000000000\n\n",
        until=4096,
    )

    assert came.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nConnection: close\r\n" in came


async def test_nothing_of_a_refused_body_is_a_request(guard: Api) -> None:
    inside = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 10_000
    came = await raw(
        guard,
        "PUT /v1/files/a.bin HTTP/1.1\nHost: x\nAuthorization: Bearer pst_x\n"
        f"Content-Length: {len(inside)}\n\n",
        inside,
    )

    assert came.startswith(b"HTTP/1.1 401 ")
    assert came.count(b"HTTP/1.1") == 1


async def test_after_a_small_refused_body_the_connection_goes_on(guard: Api) -> None:
    came = await raw(
        guard,
        "POST /v1/tokens HTTP/1.1\nHost: x\nContent-Length: 2\n\n{}"
        "GET /livez HTTP/1.1\nHost: x\nConnection: close\n\n",
    )

    assert came.startswith(b"HTTP/1.1 401 ")
    assert b"HTTP/1.1 200 OK" in came


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_answered_by_the_login(guard: Api, path: str) -> None:
    response, body = await guard.call("GET", f"{path}?a=1&b=%22")

    assert (response.status, response.content_type) == (401, "text/html")
    assert response.headers["WWW-Authenticate"] == CHALLENGE
    assert response.headers["Cache-Control"] == "no-store"
    assert b'action="/login"' in body
    assert f'value="{path}?a=1&amp;b=%22"'.encode() in body


async def test_a_page_that_a_login_is_not_good_for_says_so(guard: Api) -> None:
    login = await log_in(guard, await token_for(guard, "read"))

    response, body = await guard.call("GET", "/access", **login.headers)

    assert (response.status, response.content_type) == (403, "text/html")
    assert b"This needs a token with the scope admin." in body


async def test_a_browser_comes_back_to_where_it_was(guard: Api) -> None:
    login = await log_in(guard, await token_for(guard, "read"), "/?prefix=x%2F")

    assert (login.status, login.location) == (303, "/?prefix=x%2F")
    assert await status_of(guard, "GET", "/?prefix=x%2F", login.headers) == 200


async def test_the_cookie_is_seen_by_no_script_and_no_other_site(guard: Api) -> None:
    login = await log_in(guard, PASSWORD)
    behind = await log_in(guard, PASSWORD, **{"X-Forwarded-Proto": "https"})

    name, _, attributes = login.cookie.partition(";")
    assert name.startswith("penstock_session=")
    flags = {part.strip().partition("=")[0] for part in attributes.split(";")}
    assert flags == {"HttpOnly", "SameSite", "Path", "Max-Age"}
    assert "SameSite=Strict" in attributes
    assert "Path=/" in attributes
    assert "Secure" in behind.cookie


async def test_each_login_is_a_new_one_and_ends_the_one_before(guard: Api) -> None:
    first = await log_in(guard, PASSWORD)
    second = await log_in(guard, PASSWORD, Cookie=first.headers["Cookie"])
    made_up = await log_in(guard, PASSWORD, Cookie="penstock_session=chosen-by-somebody-else")

    assert len({first.cookie, second.cookie, made_up.cookie}) == 3
    assert await status_of(guard, "GET", "/v1/files", first.headers) == 401
    assert await status_of(guard, "GET", "/v1/files", second.headers) == 200
    for_other = {"Cookie": "penstock_session=chosen-by-somebody-else"}
    assert await status_of(guard, "GET", "/v1/files", for_other) == 401


async def test_logging_out_ends_the_login_whoever_has_the_cookie(guard: Api) -> None:
    login = await log_in(guard, await token_for(guard, "read"))
    assert await status_of(guard, "GET", "/v1/files", login.headers) == 200

    async with guard.session.post(
        "/logout", headers=login.headers, allow_redirects=False
    ) as response:
        assert (response.status, response.headers["Location"]) == (303, "/login")
        assert "Max-Age=0" in response.headers["Set-Cookie"]

    assert await status_of(guard, "GET", "/v1/files", login.headers) == 401
    assert await status_of(guard, "POST", "/logout", login.headers) == 303


async def test_a_login_ends_after_its_time(start_api: StartApi) -> None:
    api = await guarded(start_api, session_expiry=1.0)
    login = await log_in(api, PASSWORD)

    until = time.monotonic() + 30
    while await status_of(api, "GET", "/v1/files", login.headers) == 200:
        assert time.monotonic() < until
        await asyncio.sleep(0.1)


async def test_a_wrong_secret_shows_the_form_again(guard: Api) -> None:
    form = b"secret=pst_wrong&next=%2Fdashboard"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    response, page = await guard.call("POST", "/login", form, Accept="text/html", **kind)
    told, body = await guard.call("POST", "/login", form, **kind)

    assert (response.status, response.content_type) == (401, "text/html")
    assert b"is not known" in page
    assert b'value="/dashboard"' in page
    assert "Set-Cookie" not in response.headers
    assert (told.status, json.loads(body)["code"]) == (401, "login-needed")


@pytest.mark.parametrize(
    ("form", "kind", "status"),
    [
        (b"", "application/x-www-form-urlencoded", 401),
        (b"secret=%ff", "application/x-www-form-urlencoded", 400),
        (b"a&" * 20, "application/x-www-form-urlencoded", 400),
        (b"secret=" + b"a" * 20_000, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 415),
    ],
)
async def test_what_is_no_such_form_is_refused(
    guard: Api, form: bytes, kind: str, status: int
) -> None:
    response, _ = await guard.call("POST", "/login", form, Content_Type=kind)

    assert response.status == status


async def test_another_sites_page_can_log_nobody_in_or_out(guard: Api) -> None:
    login = await log_in(guard, PASSWORD)

    refused = await log_in(guard, PASSWORD, **{"Sec-Fetch-Site": "cross-site"})
    other = {"Origin": "https://elsewhere.example"}

    assert (refused.status, refused.cookie) == (403, "")
    assert await status_of(guard, "POST", "/logout", login.headers | other) == 403
    assert await status_of(guard, "GET", "/v1/files", login.headers) == 200


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//elsewhere.example",
        "/\\elsewhere.example",
        "\\\\elsewhere.example",
        "https://elsewhere.example/",
        "elsewhere",
        "javascript:alert(1)",
        "/\t/elsewhere.example",
        "/a\r\nSet-Cookie: x=y",
        "/a\x00",
        "/\udc80",
        "/login",
        "/logout?x",
        "",
    ],
)
def test_a_login_leads_to_no_other_place(elsewhere: str) -> None:
    assert _checked(elsewhere) == "/"


@pytest.mark.parametrize("here", ["/", "/?prefix=a%2Fb&x=//y", "/dashboard#job", "/login-book"])
def test_a_login_leads_to_any_page_of_ours(here: str) -> None:
    assert _checked(here) == here


async def test_the_session_says_who_asks(guard: Api) -> None:
    text = await token_for(guard, "write", "read", prefix="x/", lifetime=1000.0)
    login = await log_in(guard, text)

    response, by_token = await guard.call("GET", "/v1/session", **bearer(text))
    _, by_login = await guard.call("GET", "/v1/session", **login.headers)
    _, operator = await guard.call("GET", "/v1/session", **basic("admin", PASSWORD))

    found = json.loads(by_token)
    assert found.pop("expires").endswith("Z")
    assert found == {
        "access": True,
        "actor": f"token:{text.split('_')[1]}",
        "name": "a test",
        "scopes": ["read", "write"],
        "prefix": "x/",
    }
    assert json.loads(by_login).keys() == {*found, "expires"}
    assert json.loads(by_login)["actor"] == found["actor"]
    assert json.loads(operator)["scopes"] == ["admin"]
    assert response.headers["Cache-Control"] == "no-store"


async def test_where_access_is_off_everybody_may_do_everything(api: Api) -> None:
    _, body = await api.call("GET", "/v1/session", **bearer("pst_whatever"))

    assert json.loads(body) == {
        "access": False,
        "actor": "anyone",
        "name": "",
        "scopes": ["admin"],
        "prefix": "",
        "expires": None,
    }
    login = await log_in(api, "", "/docs")
    assert (login.status, login.location, login.cookie) == (303, "/docs", "")
    assert await status_of(api, "GET", "/login?next=/docs", {}) == 303


async def test_tokens_are_made_listed_and_removed(guard: Api) -> None:
    admin = basic("admin", PASSWORD)
    wish = {"name": "camera", "scopes": ["write"], "prefix": "photos/", "expires_in": 60,
            "request_rate": 2.5, "byte_rate": 1000}  # fmt: skip

    response, body = await guard.call(
        "POST", "/v1/tokens", json.dumps(wish).encode(), Content_Type="application/json", **admin
    )

    made = json.loads(body)
    assert response.status == 201
    text = made.pop("token")
    assert text.startswith(f"pst_{made['id']}_")
    assert made | wish == made | wish
    assert (made["scopes"], made["maker"], made["used"]) == (["write"], "login", None)
    _, body = await guard.call("GET", "/v1/tokens", **admin)
    assert json.loads(body) == {"tokens": [made]}
    assert await status_of(guard, "DELETE", f"/v1/tokens/{made['id']}", admin) == 204
    _, body = await guard.call("GET", "/v1/tokens", **admin)
    assert json.loads(body) == {"tokens": []}


@pytest.mark.parametrize(
    "wish",
    [
        [],
        {},
        {"name": "a"},
        {"name": "a", "scopes": "read"},
        {"name": "a", "scopes": [1]},
        {"name": "a", "scopes": ["everything"]},
        {"name": 1, "scopes": ["read"]},
        {"name": "a", "scopes": ["read"], "expires_in": "1"},
        {"name": "a", "scopes": ["read"], "expires_in": True},
        {"name": "a", "scopes": ["read"], "expires_in": 10**400},
        {"name": "a", "scopes": ["read"], "byte_rate": 1.5},
        {"name": "a", "scopes": ["read"], "prefix": "../"},
        {"name": "a", "scopes": ["read"], "folder": "x/"},
    ],
    ids=str,
)
async def test_a_token_that_cannot_be_is_refused(guard: Api, wish: Any) -> None:
    response, _ = await guard.call(
        "POST",
        "/v1/tokens",
        json.dumps(wish).encode(),
        Content_Type="application/json",
        **basic("admin", PASSWORD),
    )

    assert response.status == 400


async def test_who_is_bound_to_a_folder_manages_no_tokens(guard: Api) -> None:
    text = await token_for(guard, "admin", prefix="x/")

    assert await status_of(guard, "GET", "/v1/tokens", bearer(text)) == 403


async def test_a_token_that_was_found_lately_costs_no_look_at_the_catalog(guard: Api) -> None:
    access, text = guard.services.access, await token_for(guard, "read")
    await access.grant_of(text)

    began = time.perf_counter()
    for _ in range(2000):
        await access.grant_of(text)
    each = (time.perf_counter() - began) / 2000

    assert each < 0.0005  # measured: 4 µs


def told(server: Any, lines: int) -> list[str]:
    assert server.process.stdout is not None
    return [server.process.stdout.readline().rstrip("\n") for _ in range(lines)]


async def test_the_first_start_tells_a_token_once(start_server: StartServer) -> None:
    server = start_server(access="on", log_level="debug")
    line, dashboard = await asyncio.to_thread(told, server, 2)
    text = line.rpartition(" ")[2]
    assert line.startswith("First token, which is good for everything and shown only now: pst_")
    assert dashboard.startswith("Dashboard: ")
    server.stop()

    again = start_server(server.data, access="on")
    (line,) = await asyncio.to_thread(told, again, 1)

    assert line.startswith("Dashboard: ")
    assert text not in await asyncio.to_thread(server.log.read_text)


async def test_a_server_that_cannot_listen_leaves_no_token_that_nobody_was_told(
    start_server: StartServer,
) -> None:
    other = start_server()
    with pytest.raises(AssertionError, match="cannot listen"):
        start_server(other.data.with_name("own"), access="on", port=other.port)

    server = start_server(other.data.with_name("own"), access="on")
    (line,) = await asyncio.to_thread(told, server, 1)

    assert line.startswith("First token")


async def test_on_any_address_a_token_is_needed_unless_it_is_said_that_it_is_not(
    start_server: StartServer,
) -> None:
    guarded_one = start_server(host="0.0.0.0", log_format="json")
    (first,) = await asyncio.to_thread(told, guarded_one, 1)
    open_one = start_server(host="0.0.0.0", access="off", log_format="json")
    (warning,) = await asyncio.to_thread(told, open_one, 1)

    assert first.startswith("First token")
    assert warning.startswith("WARNING: access is off, and 0.0.0.0 is no loopback address")
    open_one.stop()
    assert '"access is off"' in await asyncio.to_thread(open_one.log.read_text)


async def test_no_secret_is_in_the_log_or_on_the_terminal(start_server: StartServer) -> None:
    server = start_server(access="on", log_level="debug", dashboard_password="pass-word-of-mine")
    (line,) = await asyncio.to_thread(told, server, 1)
    first = line.rpartition(" ")[2]
    secrets = await asyncio.to_thread(_scenario, server.url, first)
    server.stop()

    assert server.process.stdout is not None
    log = await asyncio.to_thread(server.log.read_text)
    for secret in [first, "pass-word-of-mine", "guess-of-mine", *secrets]:
        assert secret not in log, f"{secret[:8]}… is in the log"
    assert '"request"' in log


def _scenario(url: str, first: str) -> list[str]:
    """Use tokens, passwords and cookies, right and wrong; answers those that were made."""
    import http.client
    from urllib.parse import urlencode, urlsplit

    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)

    def ask(method: str, path: str, body: str = "", **headers: str) -> tuple[Any, bytes]:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body.encode() or None, fields)
        response = connection.getresponse()
        return response, response.read()

    wish = json.dumps({"name": "a", "scopes": ["read"]})
    _, made = ask("POST", "/v1/tokens", wish, Content_Type="application/json", **bearer(first))
    text = json.loads(made)["token"]
    form = "application/x-www-form-urlencoded"
    response, _ = ask("POST", "/login", urlencode({"secret": text}), Content_Type=form)
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    ask("GET", "/v1/files", Cookie=cookie)
    ask("GET", "/v1/files", **basic("admin", "pass-word-of-mine"))
    ask("GET", "/v1/files", **basic("admin", "guess-of-mine"))
    ask("GET", "/v1/files", **bearer(text[:-1] + "~"))
    ask("POST", "/login", urlencode({"secret": "guess-of-mine"}), Content_Type=form)
    ask("DELETE", "/v1/tokens/" + json.loads(made)["id"], **bearer(first))
    ask("POST", "/logout", Cookie=cookie)
    connection.close()
    return [text, text.rpartition("_")[2], cookie.partition("=")[2]]


async def test_while_the_catalog_is_away_nobody_new_comes_in_and_nobody_is_refused_for_ever(
    guard: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, other = await token_for(guard, "read"), await token_for(guard, "read")
    assert await status_of(guard, "GET", "/v1/session", bearer(known)) == 200

    async def away(text: str) -> None:
        raise NoConnection("no connection is left")

    with monkeypatch.context() as broken:
        broken.setattr(guard.services.access.tokens, "find", away)
        response, _ = await guard.call("GET", "/v1/session", **bearer(other))
        until = time.monotonic() + 20
        while await status_of(guard, "GET", "/v1/session", bearer(known)) == 200:
            assert time.monotonic() < until
            await asyncio.sleep(0.1)
        assert await status_of(guard, "GET", "/v1/session", bearer(known)) == 503
        assert await status_of(guard, "GET", "/livez", {}) == 200

    assert (response.status, response.headers["Retry-After"]) == (503, "2")
    for text in (known, other):
        assert await status_of(guard, "GET", "/v1/session", bearer(text)) == 200


async def test_a_catalog_that_hangs_keeps_nobody_waiting_for_ever(
    start_api: StartApi, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"d{token_hex(8)}"
    plain = postgres.replace("+psycopg", "")
    async with await AsyncConnection.connect(plain, autocommit=True) as connection:
        await connection.execute(f"CREATE DATABASE {name}".encode())
    guard = await guarded(start_api, catalog=f"{postgres.rpartition('/')[0]}/{name}")
    text = await token_for(guard, "read", "write")
    share = await _share(guard, text)
    session = (await log_in(guard, text)).headers
    guard.services.access._recent.forget()

    with monkeypatch.context() as hurried:
        hurried.setattr("penstock.access.patience._PATIENCE", 0.3)
        async with await AsyncConnection.connect(f"{plain.rpartition('/')[0]}/{name}") as other:
            await other.execute(b"LOCK TABLE tokens, sessions, shares IN ACCESS EXCLUSIVE MODE")
            for path, headers in (
                ("/v1/files", bearer(text)),
                ("/v1/files", session),
                (f"{share}/info", {}),
                ("/v1/files", bearer(f"shr_{share.rpartition('/')[2]}")),
            ):
                async with asyncio.timeout(60):
                    response, _ = await guard.call("GET", path, **headers)
                assert response.status == 503
                assert response.headers["Retry-After"]

    assert await status_of(guard, "GET", "/v1/files", bearer(text)) == 200


async def _share(api: Api, text: str) -> str:
    """The path of a new link."""
    body = json.dumps({"kind": "upload", "prefix": "in/"})
    response, _ = await api.call(
        "POST", "/v1/shares", body, Content_Type="application/json", **bearer(text)
    )
    return str(urlsplit((await response.json())["url"]).path)
