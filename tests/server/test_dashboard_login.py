"""Who gets to see ``/dashboard``: HTTP Basic, and the password that is made when none is set."""

import asyncio
import stat
import subprocess
import sys
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import pytest

from penstock.errors import BadRequest, TooManyAttempts
from penstock.server.access.guessing import Guessing
from penstock.server.access.password import password_of
from penstock.settings import Settings
from tests.conftest import StartServer
from tests.server.conftest import Api, StartApi

CHALLENGE = 'Basic realm="Penstock", charset="UTF-8"'
PAGES = ["/dashboard", "/dashboard/", "/dashboard/below/it"]


def basic(user: str, password: str, encoding: str = "utf-8") -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode(encoding)).decode()}"


async def status_of(api: Api, authorization: str, path: str = "/dashboard") -> int:
    response, _ = await api.call("GET", path, Authorization=authorization)
    return response.status


@pytest.fixture
async def guarded(start_api: StartApi) -> Api:
    """An application whose dashboard has a password of which not every byte is a letter."""
    return await start_api(dashboard_user="jürgen", dashboard_password="pässwörd: ☃")


@pytest.mark.parametrize("path", PAGES)
async def test_without_a_login_there_is_a_challenge(api: Api, path: str) -> None:
    response, body = await api.call("GET", path)

    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == CHALLENGE
    assert response.content_type == "application/problem+json"
    assert b'"login-needed"' in body


@pytest.mark.parametrize(
    "authorization",
    [
        basic("jürgen", "pässwörd"),
        basic("jürgen", ""),
        basic("admin", "pässwörd: ☃"),
        basic("", ""),
        basic("jürgen", "pässwörd: é", "latin-1"),
        "Basic",
        "Basic !!!",
        "Basic YQ",
        "Bearer pässwörd: ☃",
    ],
)
async def test_another_login_is_challenged_again(guarded: Api, authorization: str) -> None:
    response, _ = await guarded.call("GET", "/dashboard", Authorization=authorization)

    assert (response.status, response.headers["WWW-Authenticate"]) == (401, CHALLENGE)


@pytest.mark.parametrize(
    "authorization",
    [
        basic("jürgen", "pässwörd: ☃"),
        basic("jürgen", "pässwörd: ☃").replace("Basic ", "bASIC  "),
        basic("ju\u0308rgen", "pa\u0308sswo\u0308rd: ☃"),  # as macOS types them
    ],
)
async def test_the_right_login_shows_the_page(guarded: Api, authorization: str) -> None:
    response, body = await guarded.call("GET", "/dashboard", Authorization=authorization)

    assert (response.status, response.content_type) == (200, "text/html")
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert b"<title>Jobs" in body


async def test_below_the_dashboard_is_nothing_else(guarded: Api) -> None:
    login = basic("jürgen", "pässwörd: ☃")

    assert await status_of(guarded, login, "/dashboard/") == 200
    assert await status_of(guarded, login, "/dashboard/api/queues") == 404


async def test_other_pages_ask_for_no_login(api: Api) -> None:
    for path in ("/", "/docs", "/static/dashboard.css", "/livez"):
        assert await status_of(api, "", path) == 200


async def test_no_other_address_gives_the_page(api: Api) -> None:
    for path in ("/static/dashboard.html", "/dashboard.html", "/dashboard%2f"):
        assert await status_of(api, "", path) == 404


async def test_a_name_with_a_colon_is_refused_at_the_start(start_api: StartApi) -> None:
    with pytest.raises(BadRequest, match="colon"):
        await start_api(dashboard_user="a:b")


async def test_a_password_is_made_when_none_is_set(api: Api) -> None:
    file = api.services.settings.data / "dashboard-password"
    status = await asyncio.to_thread(file.stat)
    password = (await asyncio.to_thread(file.read_text)).strip()

    assert stat.S_IMODE(status.st_mode) == 0o600
    assert len(password) >= 20
    assert await status_of(api, basic("admin", password)) == 200
    assert await status_of(api, basic("admin", "")) == 401


async def test_none_is_made_when_one_is_set(guarded: Api) -> None:
    file = guarded.services.settings.data / "dashboard-password"

    assert not await asyncio.to_thread(file.exists)


def test_the_made_password_stays(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)

    assert password_of(settings) == password_of(settings)


def test_an_operator_may_write_another_into_the_file(tmp_path: Path) -> None:
    (tmp_path / "dashboard-password").write_text("of my own \n")

    assert password_of(Settings(data=tmp_path)) == "of my own "


def test_an_empty_file_is_no_password(tmp_path: Path) -> None:
    (tmp_path / "dashboard-password").write_text("\n")

    with pytest.raises(BadRequest, match="empty"):
        password_of(Settings(data=tmp_path))


_MAKE = """
import sys
from penstock.server.access.password import password_of
from penstock.settings import Settings
from pathlib import Path
settings = Settings(data=Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(password_of(settings))
"""


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _MAKE, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    with ThreadPoolExecutor(len(processes)) as pool:
        made = list(pool.map(lambda process: process.communicate("\n", timeout=60)[0], processes))

    assert len(set(made)) == 1
    assert made[0].strip() == password_of(Settings(data=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["dashboard-password"]


async def test_serve_tells_where_the_password_is_but_not_what_it_is(
    start_server: StartServer,
) -> None:
    server = start_server()
    assert server.process.stdout is not None
    told = await asyncio.to_thread(server.process.stdout.readline)
    file = server.data / "dashboard-password"
    password = (await asyncio.to_thread(file.read_text)).strip()

    assert told == f"Dashboard: {server.url}/dashboard, user admin, password in {file}\n"
    headers = {"Authorization": basic("admin", password)}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{server.url}/dashboard") as response,
    ):
        assert response.status == 200
    server.stop()
    assert password not in await asyncio.to_thread(server.log.read_text)


async def test_a_set_password_is_told_nowhere(start_server: StartServer) -> None:
    server = start_server(dashboard_user="me", dashboard_password="of my own")
    assert server.process.stdout is not None
    told = await asyncio.to_thread(server.process.stdout.readline)

    assert told == f"Dashboard: {server.url}/dashboard, user me, password as it is set\n"


class Clock:
    """Seconds, as the test has it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> list[float]:
    """How long tries had to wait; the clock goes on by as much."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds

    monkeypatch.setattr("penstock.server.access.guessing.asyncio.sleep", sleep)
    return waits


async def wrong(guessing: Guessing, address: str, times: int) -> None:
    for _ in range(times):
        await guessing.wait(address)
        guessing.was_wrong(address)


async def test_who_mistypes_does_not_wait(clock: Clock, slept: list[float]) -> None:
    guessing = Guessing(clock)

    await wrong(guessing, "192.0.2.1", 3)
    await guessing.wait("192.0.2.1")

    assert slept == []


async def test_who_goes_on_guessing_waits_longer_and_longer(
    clock: Clock, slept: list[float]
) -> None:
    guessing = Guessing(clock)

    await wrong(guessing, "192.0.2.1", 12)

    assert slept[0] >= 1
    assert slept == sorted(slept)
    assert slept[-1] == 8


async def test_tries_that_would_wait_too_long_are_refused(clock: Clock) -> None:
    guessing = Guessing(clock)
    for _ in range(8):
        guessing.was_wrong("192.0.2.1")
    first = asyncio.create_task(guessing.wait("192.0.2.1"))
    await asyncio.sleep(0)

    with pytest.raises(TooManyAttempts) as refused:
        await guessing.wait("192.0.2.1")

    assert refused.value.extra["retry_after"] == 16
    first.cancel()


async def test_a_right_password_ends_the_waiting(clock: Clock, slept: list[float]) -> None:
    guessing = Guessing(clock)
    await wrong(guessing, "192.0.2.1", 6)
    guessing.was_right("192.0.2.1")
    slept.clear()

    await guessing.wait("192.0.2.1")

    assert slept == []


async def test_others_do_not_wait(clock: Clock, slept: list[float]) -> None:
    guessing = Guessing(clock)
    await wrong(guessing, "192.0.2.1", 6)
    slept.clear()

    await guessing.wait("192.0.2.2")

    assert slept == []


@pytest.mark.parametrize(
    ("first", "second"),
    [("2001:db8::1", "2001:db8::ffff:2"), ("192.0.2.1", "::ffff:192.0.2.1")],
    ids=["one /64", "one IPv4"],
)
async def test_addresses_of_one_host_count_together(
    clock: Clock, slept: list[float], first: str, second: str
) -> None:
    guessing = Guessing(clock)
    await wrong(guessing, first, 6)
    slept.clear()

    await guessing.wait(second)

    assert len(slept) == 1


async def test_no_more_sources_are_remembered_than_1024(clock: Clock, slept: list[float]) -> None:
    guessing = Guessing(clock)
    await wrong(guessing, "192.0.2.1", 6)
    slept.clear()

    for number in range(1024):
        guessing.was_wrong(f"10.0.{number // 256}.{number % 256}")
    await guessing.wait("192.0.2.1")

    assert slept == []


async def test_wrong_passwords_are_noted_without_them(start_server: StartServer) -> None:
    server = start_server(log_format="json")
    async with aiohttp.ClientSession() as session:
        headers = {"Authorization": basic("admin", "guess-of-mine")}
        async with session.get(f"{server.url}/dashboard", headers=headers) as response:
            assert response.status == 401
    server.stop()

    log = await asyncio.to_thread(server.log.read_text)
    assert '"login failed"' in log
    assert "guess-of-mine" not in log
