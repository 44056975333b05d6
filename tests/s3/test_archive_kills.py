"""Workers that archive are killed and frozen at chosen requests to S3, and others go on."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import aiohttp
import psycopg
import pytest

from tests.catalog.conftest import postgres
from tests.conftest import StartServer
from tests.eventually import eventually
from tests.s3 import archive_workers
from tests.s3.archive_workers import StartWorkers, nth, start_workers
from tests.s3.archiving import NOTHING, Archiving, left_in, put_objects, some_bytes
from tests.s3.files import MIB
from tests.s3.front import COMPLETE, CREATE, NOTE, PART, UNNOTE, Front, Kind, Seen, front_of, held
from tests.s3.servers import S3Server
from tests.zipstream.readers import unzip

__all__ = ["postgres", "start_workers"]

KILLS = int(os.environ.get("PENSTOCK_TEST_KILLS", "3"))
"""Each takes longer than a lease; with 20 it is every point."""
LEASE = None if "PENSTOCK_TEST_KILLS" in os.environ else archive_workers.LEASE
"""The usual one where somebody wants to wait for it."""
AT_ONCE = 20
"""Parts that are on their way at the same time, and are made again if the worker dies."""

FOLDER = {
    f"f/{number:02}{kind}": some_bytes(size, number)
    for number in range(20 if KILLS < 10 else 60)
    for kind, size in (("large", 17 * MIB), ("small", 5 * MIB))
}
SMALLER = dict(list(FOLDER.items())[:12])


def COPY(seen: Seen) -> bool:
    """UploadPartCopy into the archive."""
    return PART(seen) and seen.path.endswith("/made.zip") and "x-amz-copy-source" in seen.headers


def UPLOAD(seen: Seen) -> bool:
    """UploadPart of the archive."""
    return PART(seen) and seen.path.endswith("/made.zip") and not COPY(seen)


def BEGIN(seen: Seen) -> bool:
    """CreateMultipartUpload of the archive: not of what tries what the server can do."""
    return CREATE(seen) and seen.path.endswith("/made.zip")


def END(seen: Seen) -> bool:
    """CompleteMultipartUpload of the archive."""
    return COMPLETE(seen) and seen.path.endswith("/made.zip")


def PARTS(seen: Seen) -> bool:
    """ListParts."""
    return seen.method == "GET" and "uploadId" in seen.query and seen.path.endswith("/made.zip")


class Point(NamedTuple):
    """At the next request of this kind, before S3 is asked or when it has ``answered``; before the
    end if there is no such request any more."""

    kind: Kind
    answered: bool

    def is_met(self, seen: Seen) -> bool:
        return self.kind(seen) or (self.kind is not UNNOTE and END(seen))

    def is_after(self, seen: Seen) -> bool:
        """Whether S3 is to answer the request that met it."""
        return self.answered and self.kind(seen)


def points(many: int) -> list[Point]:
    """So many of all that there are, in their order."""
    chance = random.Random()
    begin = [Point(kind, answered) for kind in (BEGIN, NOTE) for answered in (False, True)]
    # 16 are copied at once and 4 uploaded, so copies are soon at an end.
    kinds = [COPY, COPY, COPY, PARTS, *[UPLOAD] * 8]
    middle = [Point(kind, chance.random() < 0.5) for kind in kinds]
    end = [Point(kind, answered) for kind in (END, UNNOTE) for answered in (False, True)]
    every = [*begin, *middle, *end]
    return [every[number] for number in sorted(chance.sample(range(20), min(many, 20)))]


@pytest.fixture
async def archiving(
    start_server: StartServer, s3_server: S3Server, prefix: str, tmp_path: Path
) -> AsyncIterator[Archiving]:
    """A server that leaves the work to others."""
    settings = s3_server.settings(prefix)
    server = start_server(tmp_path / "data", **settings, worker=False)
    async with aiohttp.ClientSession(server.url) as session:
        yield Archiving(session)


def parts_in(front: Front) -> set[tuple[str, str]]:
    """The parts that S3 has said that it has: names of objects, and which."""
    return {
        (answer.seen.path, answer.seen.query)
        for answer in front.answered
        if PART(answer.seen) and answer.status == 200
    }


async def test_killed_workers_are_replaced_and_no_part_is_made_again(
    archiving: Archiving,
    s3_server: S3Server,
    prefix: str,
    start_workers: StartWorkers,
    tmp_path: Path,
) -> None:
    await put_objects(s3_server, prefix, FOLDER)
    made: set[tuple[str, str]] = set()
    again: set[tuple[str, str]] = set()
    async with front_of(s3_server) as front:
        settings = {**s3_server.settings(prefix), "s3_endpoint": front.url}
        settings = {**settings, "data": str(tmp_path / "data"), "s3_part_size": str(5 * MIB)}
        workers = start_workers(settings, lease=LEASE)
        begun = await archiving.begin("f", key="made.zip")
        workers.start()
        for number, point in enumerate(points(KILLS), 1):
            asked = len(front.seen)
            front.wrong(point.is_met, workers.replaced(point.is_after))
            if not await eventually(partial(workers.has_replaced, number), 60):
                pytest.fail(f"never came to {point}: {await archiving.log(begun['id'])}")
            again |= made & {(seen.path, seen.query) for seen in front.seen[asked:] if PART(seen)}
            made = parts_in(front)
        asked = len(front.seen)
        archive = await archiving.done(begun["id"])
        again |= made & {(seen.path, seen.query) for seen in front.seen[asked:] if PART(seen)}
        succeeded = sum(PART(one.seen) and one.status == 200 for one in front.answered)

    assert again == set()
    assert archive["attempts"] >= KILLS + 1
    assert archive["parts"] >= 40
    assert succeeded <= archive["parts"] + (archive["attempts"] - 1) * AT_ONCE
    fetched = await archiving.fetch(archive, tmp_path / "made.zip")
    await fetched.require(FOLDER, [unzip])
    assert await left_in(s3_server, prefix, [*FOLDER, "made.zip"]) == NOTHING


async def test_a_frozen_host_does_no_harm_when_it_wakes(
    postgres: str,
    start_server: StartServer,
    s3_server: S3Server,
    prefix: str,
    start_workers: StartWorkers,
    tmp_path: Path,
) -> None:
    """Two hosts have the catalog and S3 in common, and nothing else. One wakes while the other goes
    on, or, on one of the servers, when all is done."""
    early = s3_server.kind != "swift"
    catalog = database(postgres)
    await put_objects(s3_server, prefix, SMALLER)
    settings = {**s3_server.settings(prefix), "catalog": catalog}
    server = start_server(tmp_path / "data", **settings, worker=False)
    async with aiohttp.ClientSession(server.url) as session, front_of(s3_server) as front:
        archiving = Archiving(session)
        workers = start_workers({**settings, "s3_endpoint": front.url, "s3_part_size": 5 * MIB})
        frozen, gate = asyncio.Event(), asyncio.Event()
        front.wrong(nth(PART, 6), workers.frozen(frozen))
        first = workers.start(data=tmp_path / "first")
        begun = await archiving.begin("f", key="made.zip")
        async with asyncio.timeout(60):
            await frozen.wait()
        front.wrong(END, held(gate))

        second = workers.start(data=tmp_path / "second")
        assert await eventually(lambda: front.count(END) > 0, 60)
        if early:
            first.send_signal(signal.SIGCONT)
            assert await eventually(lambda: "outlived its lease" in workers.log.read_text(), 30)
        gate.set()
        archive = await archiving.done(begun["id"])
        first.send_signal(signal.SIGCONT)

        assert archive["attempts"] == 2
        for process in (first, second):
            process.send_signal(signal.SIGTERM)
        assert [await asyncio.to_thread(one.wait, 60) for one in (first, second)] == [0, 0]
        assert await archiving.get(begun["id"]) == archive
        fetched = await archiving.fetch(archive, tmp_path / "made.zip")
    await fetched.require(SMALLER)
    assert await left_in(s3_server, prefix, [*SMALLER, "made.zip"]) == NOTHING


def database(server: str) -> str:
    """The URL of a new, empty one."""
    name = f"d{uuid4().hex}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"{server.rpartition('/')[0]}/{name}"
