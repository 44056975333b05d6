"""However connections break and servers die: an upload ends with the very same bytes."""

import asyncio
import io
import itertools
import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.client import Client
from penstock.errors import PenstockError
from tests.client.proxy import proxy_to
from tests.client.uploads import random_file, restart, sha256_of, sha256_stored, unfinished
from tests.conftest import StartServer
from tests.serving import RunningServer

SIZE = 700_000
KIB = 1 << 10

cuts = st.lists(st.integers(0, SIZE + 3000), max_size=5)
answers = st.lists(st.integers(0, 4000), max_size=5)
runs = st.lists(st.tuples(cuts, answers, st.booleans()), min_size=1, max_size=3)
numbers = itertools.count()


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is meant for large files happens to small ones."""
    monkeypatch.setattr("penstock.client.put.RESUMABLE_FROM", 1)
    monkeypatch.setattr("penstock.client.cutting.SMALLEST_PART", 100 * KIB)
    monkeypatch.setattr("penstock.client.cutting.ALIGNMENT", 4 * KIB)
    monkeypatch.setattr("penstock.client.file_reader.READ_PIECE", 32 * KIB)
    monkeypatch.setattr("penstock.client.streams.READ_PIECE", 512 * KIB)
    monkeypatch.setattr("penstock.client.streams.BLOCK", 100 * KIB)


@pytest.mark.parametrize("parts_from", [SIZE + 1, 1], ids=["whole", "parts"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(runs=runs)
async def test_random_cuts_and_changes(
    server: RunningServer,
    monkeypatch: pytest.MonkeyPatch,
    parts_from: int,
    runs: list[tuple[list[int], list[int], bool]],
) -> None:
    """Each run is a command that gives up early; before some of them the file changes."""
    monkeypatch.setattr("penstock.client.cutting.PARALLEL_FROM", parts_from)
    key = f"random/{next(numbers)}"
    with tempfile.TemporaryDirectory() as folder:
        source = random_file(Path(folder, "source"), SIZE)
        versions = {sha256_of(source)}
        async with proxy_to(server.url) as proxy:
            for requests_cut, answers_cut, changes in runs:
                if changes:
                    change(source)
                    versions.add(sha256_of(source))
                proxy.cut_requests, proxy.cut_answers = list(requests_cut), list(answers_cut)
                await try_once(proxy.url, key, source)
                stored = server.data / "files" / key
                assert not stored.exists() or sha256_of(stored) in versions
            proxy.cut_requests, proxy.cut_answers = [], []
            await try_once(proxy.url, key, source)

        assert sha256_stored(server, key) == sha256_of(source)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests_cut=cuts, answers_cut=answers)
async def test_random_cuts_of_a_stream(
    server: RunningServer, requests_cut: list[int], answers_cut: list[int]
) -> None:
    key, data = f"random/{next(numbers)}", os.urandom(SIZE)
    async with proxy_to(server.url) as proxy, Client(proxy.url, tries=20) as client:
        proxy.cut_requests, proxy.cut_answers = [100_000, *requests_cut], [1000, *answers_cut]

        info = await client.put(io.BytesIO(data), key)

    assert (server.data / "files" / key).read_bytes() == data
    assert info.size == SIZE


def change(path: Path) -> None:
    """Other bytes somewhere, the same length."""
    at = random.randrange(SIZE - 100)
    with path.open("r+b") as file:
        os.pwrite(file.fileno(), os.urandom(100), at)


async def try_once(url: str, key: str, source: Path) -> None:
    """A put that may fail, but only in a way that another try can mend."""
    async with Client(url, tries=2) as client:
        try:
            await client.put(source, key)
        except PenstockError as error:
            if not error.retryable:
                raise


@pytest.mark.slow
@pytest.mark.parametrize("parts_from", [1 << 40, 1], ids=["whole", "parts"])
async def test_random_kills_of_server_and_client(
    start_server: StartServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    parts_from: int,
) -> None:
    monkeypatch.setattr("penstock.client.cutting.PARALLEL_FROM", parts_from)
    chance = random.Random(parts_from)
    server = start_server()
    for number in range(4):
        key = f"kills/{number}"
        source = random_file(tmp_path / "source", 6 << 20)
        async with Client(server.url, limit_rate=8 << 20, tries=1000) as client:
            sending = asyncio.ensure_future(client.put(source, key))
            for _ in range(3):
                await asyncio.sleep(chance.uniform(0, 0.4))
                if chance.random() < 0.5:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
                    sending = asyncio.ensure_future(client.put(source, key))
                else:
                    server = await restart(server, start_server)
            await sending

        assert sha256_stored(server, key) == sha256_of(source)
        assert [one for one in await unfinished(server.url, key) if one["active"]] == []
