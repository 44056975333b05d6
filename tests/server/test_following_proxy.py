"""Behind nginx: what arrives is passed on at once, and a cut is seen as one."""

import asyncio
import random
from collections.abc import Iterator

import pytest

from bench.peers.nginx import Nginx
from bench.peers.server import PeerMissing
from tests.server import tus_blocking as blocking
from tests.server.followers import follow
from tests.serving import RunningServer

DATA = random.Random(2).randbytes(1_000_003)
SENT = 5_000
_LOCATIONS = """
location /1.0/ {{ proxy_http_version 1.0; proxy_pass {behind}/; }}
location /1.1/ {{ proxy_http_version 1.1; proxy_pass {behind}/; }}
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, server: RunningServer) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("proxy")
    made = Nginx(folder, folder / "scratch")
    made.locations = _LOCATIONS.format(behind=server.url)
    try:
        with made:
            yield made
    except PeerMissing as missing:
        pytest.skip(str(missing))


async def begun(server: RunningServer, key: str, length: int | None) -> str:
    """An upload with few bytes; answers its path."""
    url = await asyncio.to_thread(blocking.begin, server, length, key)
    await asyncio.to_thread(blocking.patch, server, url, 0, DATA[:SENT])
    return url


@pytest.mark.parametrize(("version", "length"), [("1.0", len(DATA)), ("1.1", None)])
async def test_what_arrives_is_passed_on_at_once(
    proxy: Nginx, server: RunningServer, version: str, length: int | None
) -> None:
    key = f"whole-{version}"
    url = await begun(server, key, length)

    async with follow(proxy.port, key, folder=f"/{version}") as follower:
        first = await follower.has(SENT)
        total = str(len(DATA))
        rest = DATA[SENT:]
        await asyncio.to_thread(blocking.patch, server, url, SENT, rest, Upload_Length=total)
        whole = await follower.end()

    assert (first, whole) == (DATA[:SENT], DATA)


@pytest.mark.parametrize(("version", "length"), [("1.0", len(DATA)), ("1.1", None)])
async def test_a_cut_is_seen_as_one(
    proxy: Nginx, server: RunningServer, version: str, length: int | None
) -> None:
    key = f"cut-{version}"
    url = await begun(server, key, length)

    async with follow(proxy.port, key, folder=f"/{version}") as follower:
        await follower.has(SENT)
        await asyncio.to_thread(blocking.ask, server, "DELETE", url)

        assert await follower.cut() == DATA[:SENT]


async def test_what_has_no_length_needs_a_newer_protocol(
    proxy: Nginx, server: RunningServer
) -> None:
    await begun(server, "unknown", None)

    async with follow(proxy.port, "unknown", folder="/1.0") as follower:
        assert follower.status == 505
