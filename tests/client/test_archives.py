"""The client has the server archive folders, and watches it."""

import asyncio
import os
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from io import BytesIO

import pytest

from penstock.client import ArchiveInfo, ArchivePlan, Client
from penstock.errors import (
    BadRequest,
    Cancelled,
    NotFound,
    PreconditionFailed,
    WrongState,
)
from tests.serving import RunningServer

CONTENT = os.urandom(2_000_003)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("archiving") / "data")
    folder = running.data / "files" / "photos" / "2024"
    folder.mkdir(parents=True)
    (folder / "été.jpg").write_bytes(CONTENT)
    (folder / "empty").mkdir()
    yield running
    assert running.stop() == 0


@pytest.fixture
async def held_back(client: Client) -> AsyncIterator[None]:
    """No archive is begun until the test resumes its lane."""
    await client.jobs.pause("small")
    yield
    await client.jobs.resume("small")


async def test_a_folder_is_archived(client: Client) -> None:
    seen: list[tuple[int, int | None]] = []
    target = BytesIO()

    planned = await client.archives.plan("photos/2024/")
    archive = await client.archive("photos/2024/", progress=lambda *told: seen.append(told))
    await client.get(archive.key, target)

    assert (planned.key, planned.files, planned.folders) == ("exports/photos/2024.zip", 1, 1)
    assert (archive.state, archive.key, archive.size) == ("done", planned.key, planned.size)
    assert (archive.files, archive.members, archive.attempts) == (1, 2, 1)
    assert archive.stored().size == len(target.getvalue()) == planned.size
    assert archive.link == archive.stored().url
    assert seen[-1] == (archive.size, archive.size)
    with zipfile.ZipFile(target) as opened:
        found = {name: opened.read(name) for name in opened.namelist()}
    assert found == {"2024/empty/": b"", "2024/été.jpg": CONTENT}


async def test_what_is_told_is_kept_in_json(client: Client) -> None:
    planned = await client.archives.plan("photos", "a.zip")
    archive = await client.archive("photos", "a.zip", tags={"team": "a"}, link="public")

    assert ArchivePlan.from_json(planned.to_json()) == planned
    assert ArchiveInfo.from_json(archive.to_json()) == archive
    assert (archive.tags, archive.usage) == ({"team": "a"}, planned.usage)


async def test_the_same_request_is_the_same_archive(client: Client) -> None:
    first = await client.archive("photos", "same.zip")
    again = await client.archives.begin("photos", "same.zip", link_expiry=5)
    told = await client.archives.get(first.id)
    async with aclosing(client.archives.list()) as archives:
        listed = [archive.id async for archive in archives]

    assert (again.id, again.state, told.archive) == (first.id, "done", first.archive)
    assert first.id in listed


async def test_what_goes_wrong_is_raised(client: Client) -> None:
    await client.put(BytesIO(b"mine"), "mine.zip")

    with pytest.raises(NotFound):
        await client.archive("nothing")
    with pytest.raises(BadRequest):
        await client.archives.plan("s3://bucket/photos")
    with pytest.raises(PreconditionFailed):
        await client.archive("photos", "mine.zip", overwrite=False)
    with pytest.raises(NotFound):
        await client.archives.get("nothing")


@pytest.mark.usefixtures("held_back")
async def test_an_archive_is_cancelled_and_tried_again(client: Client) -> None:
    told = asyncio.Event()
    archive = await client.archives.begin("photos/2024", "again.zip")
    waiting = asyncio.create_task(
        client.archive("photos/2024", "again.zip", progress=lambda *_: told.set())
    )
    await told.wait()

    cancelled = await client.archives.cancel(archive.id)
    with pytest.raises(Cancelled):
        await waiting
    retried = await client.archives.retry(archive.id)
    await client.jobs.resume("small")
    done = await client.archives.finished(archive.id)

    assert (cancelled.state, retried.state, done.state) == ("cancelled", "waiting", "done")
    with pytest.raises(Cancelled):
        cancelled.stored()
    with pytest.raises(WrongState):
        await client.archives.cancel(archive.id)
