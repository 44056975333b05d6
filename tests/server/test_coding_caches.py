"""A cache in front: each client gets what it can read, and nothing is fetched twice."""

import asyncio
import gzip
import io
from collections.abc import Iterator

import aiohttp
import pytest

from bench.peers.nginx import Nginx
from bench.peers.server import PeerMissing
from tests.server.coding import TEXT, decoded
from tests.serving import RunningServer

_BESIDE = "proxy_cache_path {scratch}/cache keys_zone=files:1m;"
_LOCATIONS = """
location / {{
    proxy_pass {behind};
    proxy_http_version 1.1;
    proxy_cache files;
    proxy_cache_valid 200 10m;
    proxy_cache_revalidate on;
    add_header X-Cache $upstream_cache_status;
}}
location /stale/ {{
    proxy_pass {behind}/;
    proxy_http_version 1.1;
    proxy_cache files;
    proxy_cache_valid 200 1s;
    proxy_cache_revalidate on;
    add_header X-Cache $upstream_cache_status;
}}
"""


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("behind") / "data")
    yield running
    assert running.stop() == 0


@pytest.fixture
def cache(behind: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cache")
    made = Nginx(folder, folder / "scratch")
    made.beside = _BESIDE
    made.locations = _LOCATIONS.format(behind=behind.url)
    try:
        with made:
            yield f"http://127.0.0.1:{made.port}"
    except PeerMissing as missing:
        pytest.skip(str(missing))


async def put(server: RunningServer, key: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{server.url}/v1/files/{key}", data=io.BytesIO(TEXT)) as response,
    ):
        assert response.status in (200, 201)


async def get(url: str, accept: str, **fields: str) -> tuple[aiohttp.ClientResponse, bytes]:
    headers = {"Accept-Encoding": accept, **fields}
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(url, headers=headers) as response,
    ):
        return response, await response.read()


@pytest.mark.parametrize("order", [("gzip", "identity", "br"), ("identity", "br", "gzip")])
async def test_each_client_gets_what_it_can_read(
    behind: RunningServer, cache: str, order: tuple[str, ...]
) -> None:
    await put(behind, "a.txt")
    url = f"{cache}/v1/files/a.txt"

    rounds = [
        {accept: await get(url, accept) for accept in order},
        {accept: await get(url, accept) for accept in order},
    ]

    for answers in rounds:
        for accept, (response, body) in answers.items():
            coding = response.headers.get("Content-Encoding")
            assert coding == (None if accept == "identity" else accept)
            assert decoded(coding, body) == TEXT
        assert len({response.headers["ETag"] for response, _ in answers.values()}) == len(order)
    assert {response.headers["X-Cache"] for response, _ in rounds[0].values()} == {"MISS"}
    assert {response.headers["X-Cache"] for response, _ in rounds[1].values()} == {"HIT"}


@pytest.mark.parametrize("accept", ["gzip", "identity"])
async def test_what_is_stale_is_found_good_by_its_own_tag(
    behind: RunningServer, cache: str, accept: str
) -> None:
    await put(behind, "b.txt")
    url = f"{cache}/stale/v1/files/b.txt"
    first, _ = await get(url, accept)

    states = {first.headers["X-Cache"]}
    while "REVALIDATED" not in states:  # in a second or two, or the test's time is over
        await asyncio.sleep(0.1)
        response, body = await get(url, accept)
        states.add(response.headers["X-Cache"])
        assert decoded(response.headers.get("Content-Encoding"), body) == TEXT
        assert response.headers["ETag"] == first.headers["ETag"]
    assert states <= {"MISS", "HIT", "REVALIDATED"}


async def test_ranges_of_what_is_cached_are_of_one_body(behind: RunningServer, cache: str) -> None:
    await put(behind, "c.txt")
    url = f"{cache}/v1/files/c.txt"
    whole, coded = await get(url, "gzip")

    response, part = await get(url, "gzip", Range="bytes=100-")
    plain, slice_ = await get(url, "identity", Range="bytes=100-199")

    # The cache may send a part of what it has; it is then of the coded bytes, and says so.
    assert response.headers["ETag"] == whole.headers["ETag"]
    assert response.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(part if response.status == 200 else coded[:100] + part) == TEXT
    assert (plain.status, slice_) == (206, TEXT[100:200])
    assert plain.headers["ETag"] != whole.headers["ETag"]
