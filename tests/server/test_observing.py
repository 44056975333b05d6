"""Health, request ids, problems: what operators and client programs rely on."""

import asyncio

import pytest

from penstock.stores import Store
from tests.server.conftest import Api


async def test_a_living_server_says_ok(api: Api) -> None:
    assert await api.get("/livez") == b"ok\n"


async def test_readiness_lists_its_checks(api: Api) -> None:
    body = await api.get("/readyz?verbose")

    assert body == b"[+] serving: ok\n[+] store: ok\n[+] catalog: ok\nok\n"


async def test_a_broken_store_makes_the_server_unready(api: Api) -> None:
    tmp = api.services.settings.data / "files/.penstock/tmp"
    await asyncio.to_thread(tmp.rmdir)

    response, body = await api.call("GET", "/readyz?verbose")

    assert response.status == 503
    assert b"[-] store: FileNotFoundError" in body


async def test_a_server_on_its_way_out_is_not_ready_and_ends_connections(api: Api) -> None:
    api.services.traffic.drain()

    response, _ = await api.call("GET", "/readyz")

    assert response.status == 503
    assert response.headers["Connection"] == "close"


async def test_the_request_id_is_kept(api: Api) -> None:
    response, _ = await api.call("GET", "/livez", X_Request_ID="trace-1.2_3")

    assert response.headers["X-Request-ID"] == "trace-1.2_3"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>"])
async def test_a_strange_request_id_is_replaced(api: Api, given: str) -> None:
    response, _ = await api.call("GET", "/livez", X_Request_ID=given)

    assert response.headers["X-Request-ID"] not in ("", given)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/static/../app.py", 404, "not-found"),
        ("GET", "/static/%2e%2e/app.py", 404, "not-found"),
        ("PATCH", "/v1/files/a", 405, "method-not-allowed"),
        ("GET", "/v1/files/nothing", 404, "not-found"),
        ("POST", "/v1/zip", 415, "unsupported-media-type"),
    ],
)
async def test_errors_are_problem_documents(
    api: Api, method: str, path: str, status: int, code: str
) -> None:
    response, _ = await api.call(method, path)

    problem = await response.json(content_type="application/problem+json")
    assert response.status == problem["status"] == status
    assert problem["code"] == code
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert problem["detail"]


async def test_a_bug_shows_nothing_of_the_inside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: Store, key: str) -> None:
        raise RuntimeError("secret /path/to/inside")

    monkeypatch.setattr(type(api.services.store), "stat", broken)

    response, body = await api.call("PUT", "/v1/files/a", b"x")

    assert response.status == 500
    assert (await response.json())["code"] == "internal"
    assert b"secret" not in body
    assert b"Traceback" not in body


async def test_the_server_tells_its_limits(api: Api) -> None:
    response, _ = await api.call("GET", "/v1/server")

    assert (await response.json())["limits"]["max_body"] == 1 << 40


@pytest.mark.parametrize(
    "fields",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_another_sites_page_cannot_change_anything(api: Api, fields: dict[str, str]) -> None:
    response, _ = await api.call("PUT", "/v1/files/a", b"x", **fields)

    assert response.status == 403
    assert (await response.json())["code"] == "forbidden"


async def test_our_own_page_and_other_clients_may(api: Api) -> None:
    own = f"http://127.0.0.1:{api.port}"
    fetched, _ = await api.call("PUT", "/v1/files/a", b"x", Sec_Fetch_Site="same-origin")
    older, _ = await api.call("PUT", "/v1/files/b", b"x", Origin=own)
    plain, _ = await api.call("PUT", "/v1/files/c", b"x")

    assert (fetched.status, older.status, plain.status) == (201, 201, 201)
