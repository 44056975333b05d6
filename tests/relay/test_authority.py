"""Who may use a relay."""

import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from penstock.errors import BadRequest
from penstock.relay import Options, open_relay
from tests.faults import Source
from tests.relay.conftest import StartRelay
from tests.relay.running import COMMAND

TOKEN = "long-and-random"


def basic(credentials: str) -> str:
    return f"Basic {b64encode(credentials.encode()).decode()}"


@pytest.fixture
async def film(source: Source) -> str:
    """The path of a file that the upstream has."""
    source.serve("/v1/files/film", b"film", etag='"v1"')
    return "/v1/files/film"


@pytest.mark.parametrize(
    "given", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic(f":{TOKEN}"), basic(f"me:{TOKEN}")]
)
async def test_who_has_the_token_gets_files(
    start_relay: StartRelay, source: Source, film: str, given: str
) -> None:
    caller = await start_relay(source.url, access_token=TOKEN)

    assert await caller.get(film, Authorization=given) == b"film"


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic !", basic(f"{TOKEN}:")])
async def test_others_get_nothing(
    start_relay: StartRelay, source: Source, film: str, given: str
) -> None:
    caller = await start_relay(source.url, access_token=TOKEN)

    for path in (film, "/download/film", "/nothing"):
        response, _ = await caller.call(path, Authorization=given)
        assert (response.status, response.headers["WWW-Authenticate"]) == (
            401,
            'Bearer realm="Penstock"',
        )
    assert source.requests == []


async def test_everybody_may_ask_whether_it_lives(start_relay: StartRelay, source: Source) -> None:
    caller = await start_relay(source.url, access_token=TOKEN)

    assert await caller.get("/livez") == b"ok\n"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "example.com"])
async def test_on_other_addresses_it_needs_a_token_or_a_word(tmp_path: Path, host: str) -> None:
    with pytest.raises(BadRequest, match=r"PENSTOCK_RELAY_TOKEN.*--open"):
        await open_relay(Options("http://127.0.0.1:1", tmp_path, host=host))

    for told in (
        Options("http://127.0.0.1:1", tmp_path, host=host, access_token=TOKEN),
        Options("http://127.0.0.1:1", tmp_path, host=host, is_open=True),
    ):
        await (await open_relay(told)).close()


async def test_a_token_that_no_header_can_carry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="printable ASCII"):
        await open_relay(Options("http://127.0.0.1:1", tmp_path, access_token="two words"))


def test_the_command_says_what_to_do(tmp_path: Path) -> None:
    command = [*COMMAND, "--upstream=http://127.0.0.1:1", "--host=0.0.0.0", f"--dir={tmp_path}"]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode != 0
    assert "PENSTOCK_RELAY_TOKEN" in ended.stderr
    assert "--open" in ended.stderr
    assert "Traceback" not in ended.stderr
