"""Worker processes with folders of their own, on one catalog and one bucket."""

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.faults import faulty, stall
from tests.pulls.pulling import Far, begin, ended, standing
from tests.s3.servers import S3Server
from tests.serving import Running, RunningServer, RunningWorker

MIB = 1 << 20
FILM = random.Random(7).randbytes(24 * MIB)
CAME = 20 * MIB


@pytest.mark.parametrize("s3_server", ["ministack"], indirect=True)
async def test_a_worker_elsewhere_begins_a_pull_anew_whose_bytes_it_has_not(
    s3_server: S3Server, prefix: str, tmp_path: Path
) -> None:
    shared = {
        **s3_server.settings(prefix),
        "catalog": f"sqlite:///{tmp_path}/catalog.sqlite",
        "remote_allow": "127.0.0.1",
    }
    async with AsyncExitStack() as stack:

        async def start(kind: type[Running], name: str, **options: str) -> Running:
            made = await asyncio.to_thread(lambda: kind(tmp_path / name, **shared, **options))
            stack.callback(made.kill)
            return made

        server = await start(RunningServer, "server", worker="false")
        source = await stack.enter_async_context(faulty())
        far = Far(await stack.enter_async_context(aiohttp.ClientSession(server.announced)))
        url = source.serve("/film", FILM, etag='"v1"', faults=[stall(CAME)])
        pull = await begin(far, url)
        first = await start(RunningWorker, "first")
        await standing(far, pull, lambda now: now["received"] >= CAME)

        assert await asyncio.to_thread(first.stop) == 0
        await start(RunningWorker, "second")
        done = await ended(far, pull, 60)

        assert (done["state"], source.ranges) == ("done", [None, None])
        response, body = await far.call("GET", "/v1/files/film")
        assert (response.status, body == FILM) == (200, True)
