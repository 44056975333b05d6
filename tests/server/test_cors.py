"""Pages of other origins: those that are let in, with a token, and no others."""

from typing import Any

import pytest
from pydantic import ValidationError

from penstock.settings import Settings
from penstock.web_origins import origins_of
from tests.server import tus_speaking
from tests.server.conftest import Api, StartApi
from tests.server.granting import As, guarded, with_token

APP = "https://app.example.com"
OTHER = "https://other.example.com"
CROSS = {"Sec_Fetch_Site": "cross-site"}


@pytest.fixture
async def api(start_api: StartApi) -> Api:
    return await guarded(start_api, cors_origins=f"{APP}, http://localhost:3000")


@pytest.fixture
async def friend(api: Api) -> As:
    return await with_token(api)


async def preflight(api: Api, origin: str, path: str = "/v1/files/a", **more: str) -> Any:
    fields = {"Access_Control_Request_Method": "PUT", "Origin": origin, **CROSS, **more}
    response, _ = await api.call("OPTIONS", path, **fields)
    return response


async def test_a_preflight_needs_no_token(api: Api) -> None:
    for path in ("/v1/uploads", "/v1/uploads/x", "/v1/nothing"):
        assert (await preflight(api, APP, path)).status == 204, path


async def test_a_preflight_is_told_what_is_let_in(api: Api) -> None:
    asked = "authorization, content-type, tus-resumable, x-of-mine"

    response = await preflight(api, APP, Access_Control_Request_Headers=asked)

    assert response.status == 204
    fields = response.headers
    assert fields["Access-Control-Allow-Origin"] == APP
    assert {"PUT", "PATCH", "DELETE", "HEAD"} <= set(
        fields["Access-Control-Allow-Methods"].split(", ")
    )
    assert fields["Access-Control-Allow-Headers"] == asked
    assert int(fields["Access-Control-Max-Age"]) > 0
    assert fields["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in fields


async def test_other_origins_are_not_let_in(api: Api, friend: As) -> None:
    for origin in (OTHER, "null", "http://app.example.com", f"{APP}:8443", f"{APP}.evil.example"):
        response = await preflight(api, origin)
        assert response.status == 403, origin
        assert "Access-Control-Allow-Origin" not in response.headers

        fields = {"Origin": origin, **CROSS}
        assert await friend.status("PUT", "/v1/files/a", b"a", **fields) == 403
        read, _ = await friend.call("GET", "/v1/files", **fields)
        assert "Access-Control-Allow-Origin" not in read.headers


async def test_a_page_that_is_let_in_may_do_what_its_token_may(friend: As) -> None:
    fields = {"Origin": APP, **CROSS}

    put, _ = await friend.call("PUT", "/v1/files/a", b"a", **fields)
    got, body = await friend.call("GET", "/v1/files/a", **fields)

    assert (put.status, got.status, body) == (201, 200, b"a")
    for response in (put, got):
        assert response.headers["Access-Control-Allow-Origin"] == APP
    exposed = got.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"ETag", "Location", "Upload-Offset", "Tus-Resumable", "Repr-Digest"} <= set(exposed)


async def test_errors_can_be_read_by_the_page_too(api: Api) -> None:
    for path in ("/v1/files", "/v1/nothing"):
        response, _ = await api.call("GET", path, Origin=APP, **CROSS)
        assert response.status == 401
        assert response.headers["Access-Control-Allow-Origin"] == APP


async def test_no_change_is_made_by_what_a_browser_sends_of_itself(api: Api) -> None:
    logins: tuple[dict[str, str], ...] = (
        {},
        {"Cookie": "penstock_session=x"},
        {"Authorization": "Basic OnBhc3N3b3Jk"},
    )

    for login in logins:
        fields = {"Origin": APP, **CROSS, **login}
        assert (await api.call("POST", "/v1/uploads", b"", **fields))[0].status == 403, login


async def test_a_token_beside_a_cookie_is_what_counts(api: Api, friend: As) -> None:
    reader = await with_token(api, "read")
    fields = {"Origin": APP, **CROSS, "Cookie": f"penstock_session={friend.token}"}

    assert await reader.status("PUT", "/v1/files/a", b"a", **fields) == 403


async def test_caches_keep_answers_to_several_origins_apart(friend: As) -> None:
    await friend.call("PUT", "/v1/files/a.txt", b"text " * 4000)

    response, _ = await friend.call("GET", "/v1/files/a.txt")

    assert response.headers["Vary"] == "Accept-Encoding, Origin"


async def test_what_tus_offers_is_told_as_before(friend: As) -> None:
    response, _ = await friend.call("OPTIONS", "/v1/uploads", Origin=APP, **CROSS)

    assert response.status == 204
    assert response.headers["Tus-Version"] == tus_speaking.VERSION
    assert "POST" in response.headers["Allow"]
    assert response.headers["Access-Control-Allow-Origin"] == APP


async def test_a_star_lets_everybody_in(start_api: StartApi) -> None:
    friend = await with_token(await guarded(start_api, cors_origins="*"))

    assert (await preflight(friend.api, OTHER)).headers["Access-Control-Allow-Origin"] == "*"
    put, _ = await friend.call("PUT", "/v1/files/a", b"a", Origin=OTHER, **CROSS)
    assert put.status == 201
    assert put.headers["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in put.headers


async def test_without_the_setting_nobody_is_let_in(start_api: StartApi) -> None:
    friend = await with_token(await guarded(start_api))

    assert (await preflight(friend.api, APP)).status == 403
    response, _ = await friend.call("GET", "/v1/files", Origin=APP)
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Vary" not in response.headers


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", set()),
        (" , ", set()),
        ("*", {"*"}),
        ("https://A.Example.com/", {"https://a.example.com"}),
        ("https://a.example:443,http://b.example:80", {"https://a.example", "http://b.example"}),
        ("http://[::1]:3000", {"http://[::1]:3000"}),
    ],
)
def test_origins_are_read_as_browsers_write_them(text: str, origins: set[str]) -> None:
    assert origins_of(text) == origins


@pytest.mark.parametrize(
    "text",
    [
        "app.example.com",
        "https://app.example.com/page",
        "https://*.example.com",
        "ftp://app.example.com",
        "https://user@app.example.com",
        "https://app.example.com:port",
        "https://a.example?x",
        "null",
        "https://",
    ],
)
def test_what_is_no_origin_is_told_at_the_start(text: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        Settings(cors_origins=text)
