"""Many ZIPs of URLs at once, and clients that leave: nothing is left behind, memory stays flat."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.eventually import eventually
from tests.faults import Fault, Source, faulty, mute, stall
from tests.server.asking import Spec, python, verdict
from tests.server.conftest import StartApi
from tests.serving import RunningServer

KIB, MIB = 1 << 10, 1 << 20
CLIENTS = 40
FILM = bytes(range(256)) * 2048
LAYOUTS: dict[str, Spec] = {
    "exact": {},
    "deflate": {"compress": "deflate"},
    "report": {"on_error": "report"},
}


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    """A source on which nobody can finish: its files stop half-way, one never answers at all."""
    # So that no connection is kept for later and all that stay open are leaks.
    headers = {"Connection": "close"}
    async with faulty() as made:
        stopping: dict[str, Any] = {"head_faults": [Fault()] * CLIENTS, "always": stall(300_000)}
        for number in range(4):
            made.serve(f"/{number}", FILM, etag='"v1"', headers=headers, **stopping)
        made.serve("/mute", FILM, headers=headers, always=mute())
        made.serve("/good", FILM, etag='"v1"', headers=headers)
        yield made


async def crowd(port: int, spec: Spec, source: Source, connections: int) -> None:
    """Clients that ask for a ZIP, and leave when it is under way."""
    body = json.dumps(spec)
    request = (
        "POST /v1/zip HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    with ExitStack() as leaving:
        for _ in range(CLIENTS):
            loop = asyncio.get_running_loop()
            client, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
            leaving.callback(client.abort)
            client.write(request.encode())
        await source.until(lambda: source.open >= connections)
    await source.all_closed()


def crowds(source: Source) -> dict[str, tuple[Spec, int]]:
    """What the crowds ask for, and how many connections to the source are open then at least."""
    urls = [f"{source.url}/{number}" for number in range(4)]
    asked = {layout: ({"urls": urls, **spec}, 4 * CLIENTS) for layout, spec in LAYOUTS.items()}
    return {**asked, "probes": ({"urls": [f"{source.url}/mute"]}, CLIENTS)}


@pytest.mark.parametrize("what", ["exact", "deflate", "report", "probes"])
async def test_clients_that_leave_leave_no_connection_behind(
    start_server: StartServer, source: Source, what: str
) -> None:
    server = start_server(remote_allow="127.0.0.1")
    good = {"urls": [f"{source.url}/good"]}
    assert verdict(await python(f"{server.url}/v1/zip", good), {"good": FILM}) == "whole"
    await source.all_closed()
    before = server.descriptors()

    spec, connections = crowds(source)[what]
    await crowd(server.port, spec, source, connections)

    assert await eventually(lambda: server.descriptors() <= before)
    assert verdict(await python(f"{server.url}/v1/zip", good), {"good": FILM}) == "whole"
    assert server.stop() == 0


@pytest.mark.parametrize("what", ["exact", "deflate", "report", "probes"])
async def test_clients_that_leave_leave_no_task_behind(
    start_api: StartApi, source: Source, what: str
) -> None:
    api = await start_api(remote_allow="127.0.0.1")
    before = asyncio.all_tasks()

    spec, connections = crowds(source)[what]
    await crowd(api.port, spec, source, connections)

    assert await eventually(lambda: asyncio.all_tasks() <= before)
    assert api.services.traffic.transfers == 0


async def downloaded(server: RunningServer, sources: RunningServer, name: str, count: int) -> None:
    """Have ``count`` URLs as a ZIP of that name, which makes it a selection of its own."""
    urls = [f"{sources.url}/v1/files/{number}" for number in range(count)]
    spec: dict[str, Any] = {"urls": urls, "name": name}
    words = ["-sSf", "-H", "Content-Type: application/json", "--data-binary", "@-"]
    process = await asyncio.create_subprocess_exec(
        *["curl", *words, "-o", os.devnull, f"{server.url}/v1/zip"], stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(json.dumps(spec).encode())
    assert process.returncode == 0


async def test_memory_stays_flat_with_many_urls_and_many_zips(start_server: StartServer) -> None:
    sources = start_server()
    for number in range(1000):
        (sources.data / "files" / str(number)).write_bytes(os.urandom(32 * KIB))
    server = start_server(remote_allow="127.0.0.1")
    await downloaded(server, sources, "few", 20)
    few = server.memory()

    await downloaded(server, sources, "many", 1000)
    many = server.memory()
    crowded = []
    for names in (range(20), range(20, 30)):
        await asyncio.gather(*(downloaded(server, sources, f"{n}", 200) for n in names))
        crowded.append(server.memory())

    # 31 MiB have passed in one ZIP, then 125 MiB in twenty at once, then 62 MiB in ten more.
    assert many - few < 8 * MIB
    assert crowded[0] - few < 48 * MIB
    assert crowded[1] - crowded[0] < 12 * MIB
