"""tus-js-client, the client of tus's own authors, on lines that break."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.client.proxy import Proxy, proxy_to
from tests.conftest import StartServer
from tests.npm import node, npm_packages
from tests.server import tus_blocking as blocking
from tests.serving import RunningServer

CLIENT = "tus-js-client@4.3.1"
SOURCE = Path(__file__).parent / "js/tus.mjs"
DATA = random.Random(11).randbytes(6_000_000)


@dataclass(frozen=True)
class Told:
    """What the client says of its upload."""

    url: str | None
    error: str | None
    status: int | None
    location: str | None
    requests: dict[str, int]
    resumedAt: int | None


Send = Callable[..., Coroutine[Any, Any, Told]]


@pytest.fixture
def send(tmp_path: Path) -> Send:
    """Send ``DATA`` to a server, with options of the client."""
    modules = npm_packages(CLIENT)
    program = tmp_path / SOURCE.name
    program.write_text(SOURCE.read_text())
    (tmp_path / "node_modules").symlink_to(modules)
    file = tmp_path / "input.bin"
    file.write_bytes(DATA)

    async def send(
        url: str, *, key: str = "a.bin", task: dict[str, Any] | None = None, **options: Any
    ) -> Told:
        options = {"metadata": {"filename": key, "filetype": "image/png"}, **options}
        document = {"file": str(file), "endpoint": f"{url}/v1/uploads", "options": options}
        process = await asyncio.create_subprocess_exec(
            node(),
            str(program),
            json.dumps({**document, **(task or {})}),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 90)
        assert process.returncode == 0
        return Told(**json.loads(out))

    return send


@pytest.fixture
async def proxy(server: RunningServer) -> AsyncIterator[Proxy]:
    """A line to the server that can break."""
    async with proxy_to(server.url) as running:
        yield running


async def stored(server: RunningServer, key: str) -> bytes | None:
    return await asyncio.to_thread(blocking.stored, server, key)


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("plain", {}),
        ("pieces", {"chunkSize": 1_000_000}),
        ("override", {"overridePatchMethod": True, "chunkSize": 2_500_000}),
        ("at once", {"uploadDataDuringCreation": True}),
        ("at once in pieces", {"uploadDataDuringCreation": True, "chunkSize": 1_000_000}),
        ("parallel", {"parallelUploads": 4}),
        ("parallel in pieces", {"parallelUploads": 3, "chunkSize": 700_000}),
        ("parallel at once", {"parallelUploads": 2, "uploadDataDuringCreation": True}),
    ],
)
async def test_a_file_is_sent(
    server: RunningServer, send: Send, key: str, options: dict[str, Any]
) -> None:
    told = await send(server.url, key=key.replace(" ", "-"), **options)

    assert told.error is None
    assert await stored(server, key.replace(" ", "-")) == DATA


async def test_a_stream_of_unknown_length_is_sent(server: RunningServer, send: Send) -> None:
    told = await send(
        server.url,
        key="stream",
        task={"stream": True},
        uploadLengthDeferred=True,
        chunkSize=1_000_000,
    )

    assert told.error is None
    assert await stored(server, "stream") == DATA


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("cut", {}),
        ("cut-pieces", {"chunkSize": 1_500_000}),
        ("cut-parallel", {"parallelUploads": 3}),
        ("cut-at-once", {"uploadDataDuringCreation": True}),
        ("cut-override", {"overridePatchMethod": True}),
    ],
)
async def test_a_line_that_breaks_again_and_again_costs_nothing_but_time(
    proxy: Proxy, server: RunningServer, send: Send, key: str, options: dict[str, Any]
) -> None:
    proxy.cut_requests = [2_000_000, 300, 1_000_000, 2_500_000, 700_000]

    told = await send(proxy.url, key=key, **options)

    assert told.error is None
    assert proxy.cut_requests == []
    assert await stored(server, key) == DATA


async def test_answers_that_get_lost_are_asked_for_again(
    proxy: Proxy, server: RunningServer, send: Send
) -> None:
    """The last answer too: the client learns from the HEAD that the file is stored."""
    proxy.cut_answers = [20, 20, 20]

    told = await send(proxy.url, key="lost", chunkSize=3_000_000)

    assert told.error is None
    assert await stored(server, "lost") == DATA


async def test_a_closed_page_goes_on_where_it_was(
    server: RunningServer, send: Send, tmp_path: Path
) -> None:
    storage = str(tmp_path / "storage.json")
    await send(
        server.url,
        key="resumed",
        task={"storage": storage, "abortAfter": 2_500_000},
        chunkSize=1_000_000,
    )

    told = await send(server.url, key="resumed", task={"storage": storage, "resume": True})

    assert told.error is None
    assert told.resumedAt is not None
    assert told.resumedAt >= 2_000_000
    assert "POST" not in told.requests
    assert await stored(server, "resumed") == DATA


async def test_parallel_parts_go_on_where_they_were(
    server: RunningServer, send: Send, tmp_path: Path
) -> None:
    storage = str(tmp_path / "storage.json")
    options = {"parallelUploads": 3, "chunkSize": 500_000}
    await send(
        server.url,
        key="parts-resumed",
        task={"storage": storage, "abortAfter": 3_000_000},
        **options,
    )

    told = await send(
        server.url, key="parts-resumed", task={"storage": storage, "resume": True}, **options
    )

    assert told.error is None
    assert told.requests["POST"] == 1  # only the one that joins
    assert await stored(server, "parts-resumed") == DATA


async def test_an_upload_is_terminated(server: RunningServer, send: Send, tmp_path: Path) -> None:
    begun = await send(
        server.url,
        key="ended",
        task={"storage": str(tmp_path / "storage.json"), "abortAfter": 1_000_000},
        chunkSize=500_000,
    )

    told = await send(server.url, task={"terminate": begun.url})

    assert told.error is None
    assert await stored(server, "ended") is None
    assert begun.url is not None
    path = begun.url.removeprefix(server.url)
    response = await asyncio.to_thread(blocking.ask, server, "HEAD", path)
    assert response.status in (404, 410)


async def test_a_failed_last_step_is_not_taken_for_success(
    server: RunningServer, send: Send
) -> None:
    wrong = {"filename": "wrong", "sha256": "0" * 64}

    told = await send(server.url, metadata=wrong, retryDelays=[0, 100])

    assert told.error is not None
    assert await stored(server, "wrong") is None


async def test_a_failed_join_is_not_taken_for_success(server: RunningServer, send: Send) -> None:
    wrong = {"filename": "wrong-join", "sha256": "0" * 64}

    told = await send(server.url, metadata=wrong, parallelUploads=2, retryDelays=[0, 100])

    assert told.error is not None
    assert await stored(server, "wrong-join") is None


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_server_that_is_killed_again_and_again_gets_the_file(
    start_server: StartServer, send: Send, tmp_path: Path, unused_tcp_port: int
) -> None:
    moments = random.Random(3)
    data, port = tmp_path / "data", unused_tcp_port
    server = await asyncio.to_thread(start_server, data, port=port)
    options = {"chunkSize": 100_000, "retryDelays": [100] * 3 + [1000] * 30}
    sending = asyncio.create_task(send(server.url, key="killed", **options))
    kills = 0
    while not sending.done() and kills < 6:
        await asyncio.sleep(moments.uniform(0.1, 0.6))
        await asyncio.to_thread(server.kill)
        server = await asyncio.to_thread(start_server, data, port=port)
        kills += 1

    told = await sending

    assert told.error is None
    assert await stored(server, "killed") == DATA
