"""Uploads that can be resumed, into a cluster: all that a server process has of them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from penstock.catalog import Ledger
from penstock.cluster.store import ClusterStore
from penstock.errors import Busy, DigestMismatch, PenstockError, PreconditionFailed
from penstock.stores import Condition
from penstock.uploads import Creation, Folder, UploadLimits, Uploads
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere, second_gateway
from tests.s3.files import MIB, content, get, keys, put

DATA = content(6 * MIB, seed=11)
"""Six parts."""


@asynccontextmanager
async def uploads_to(
    store: ClusterStore, cluster: ClusterHere, tmp_path: Path
) -> AsyncIterator[Uploads]:
    folder = await asyncio.to_thread(Folder.at, tmp_path / "uploads")
    ledger = Ledger(cluster.catalog.engine, cluster.catalog.commits)
    uploads = Uploads(store, ledger, folder, UploadLimits())
    try:
        yield uploads
    finally:
        await uploads.close()


async def begun(uploads: Uploads, size: int, **creation: object) -> str:
    """An upload that has ``size`` bytes and that nobody holds."""
    told = Creation(key="a", length=len(DATA), **creation)  # type: ignore[arg-type]
    async with await uploads.create(told) as session:
        await session.append(DATA[:size])
        return session.upload.id


async def finished(uploads: Uploads, identity: str) -> None:
    async with await uploads.take(identity) as session:
        if session.is_open:
            await session.append(DATA[session.offset : session.length])
        await session.finish()


async def on_nodes(cluster: ClusterHere, copies: int) -> bool:
    """Whether the nodes have so many copies within some time."""
    async with asyncio.timeout(60):
        while sum(map(len, await cluster.on_disks())) != copies:
            await asyncio.sleep(0.05)
    return True


async def test_an_upload_is_refused_before_it_begins_while_there_are_too_few_nodes(
    start_cluster: StartCluster, tmp_path: Path
) -> None:
    cluster = await start_cluster(nodes=1, min_nodes=2)

    async with uploads_to(cluster.store, cluster, tmp_path) as uploads:
        with pytest.raises(Busy, match="1 of 2"):
            await begun(uploads, 0)


async def test_parts_are_on_nodes_while_the_rest_comes_in(
    cluster: ClusterHere, tmp_path: Path
) -> None:
    async with uploads_to(cluster.store, cluster, tmp_path) as uploads:
        identity = await begun(uploads, 2 * MIB + 1)

        assert await on_nodes(cluster, 2 * 2)
        assert await keys(cluster.store) == []
        await finished(uploads, identity)

    assert await get(cluster.store, "a") == DATA
    assert await on_nodes(cluster, 6 * 2)
    assert await cluster.catalog.removals.next_due() is None


async def test_another_process_goes_on_and_sends_no_part_again(
    cluster: ClusterHere, tmp_path: Path
) -> None:
    async with uploads_to(cluster.store, cluster, tmp_path) as uploads:
        identity = await begun(uploads, 2 * MIB)
        assert await on_nodes(cluster, 2 * 2)

    async with (
        second_gateway(cluster) as second,
        uploads_to(second, cluster, tmp_path) as uploads,
    ):
        await finished(uploads, identity)
        assert await get(second, "a") == DATA

    assert await on_nodes(cluster, 6 * 2)


@pytest.mark.parametrize(
    ("creation", "error"),
    [
        ({"sha256": bytes(32)}, DigestMismatch),
        ({"condition": Condition(absent=True)}, PreconditionFailed),
    ],
)
async def test_what_was_sent_of_an_upload_that_fails_is_to_be_removed(
    cluster: ClusterHere, tmp_path: Path, creation: dict[str, object], error: type[Exception]
) -> None:
    async with uploads_to(cluster.store, cluster, tmp_path) as uploads:
        identity = await begun(uploads, 2 * MIB, **creation)
        assert await on_nodes(cluster, 2 * 2)
        before = await put(cluster.store, "a", b"")

        with pytest.raises(error):
            await finished(uploads, identity)

    assert await cluster.store.stat("a") == before
    assert len(await cluster.catalog.removals.claim(9, 60.0)) == 1


async def test_an_upload_that_is_given_up_is_to_be_removed(
    cluster: ClusterHere, tmp_path: Path
) -> None:
    async with uploads_to(cluster.store, cluster, tmp_path) as uploads:
        identity = await begun(uploads, 2 * MIB)
        assert await on_nodes(cluster, 2 * 2)

        await uploads.delete(identity)

    assert len(await cluster.catalog.removals.claim(9, 60.0)) == 1


async def refuse(cluster: ClusterHere, file: str) -> None:
    """Have the database take no change of when a version is given up."""
    trigger = text(
        "CREATE TRIGGER refuse BEFORE UPDATE ON cluster_outbox "
        f"WHEN old.file = '{file}' BEGIN SELECT RAISE(ABORT, 'something is wrong'); END"
    )
    await cluster.catalog.commits.run(lambda connection: connection.execute(trigger))


async def due(cluster: ClusterHere) -> dict[str, float]:
    """When each version under way is given up."""
    asked = text("SELECT file, due FROM cluster_outbox")
    rows = await cluster.catalog.commits.run(lambda connection: connection.execute(asked).all())
    return {row.file: row.due for row in rows}


async def test_an_upload_that_the_catalog_cannot_renew_keeps_no_other_from_it(
    cluster: ClusterHere, tmp_path: Path
) -> None:
    async with uploads_to(cluster.store, cluster, tmp_path) as uploads:
        for number in range(3):
            await begun(uploads, MIB)
            assert await on_nodes(cluster, 2 * (number + 1))
        before = await due(cluster)
        bad = min(before)
        await refuse(cluster, bad)

        await uploads.renew()

    after = await due(cluster)
    assert [file for file in before if after[file] == before[file]] == [bad]


async def test_an_upload_is_gone_although_the_catalog_does_not_let_go_of_its_parts(
    cluster: ClusterHere, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with uploads_to(cluster.store, cluster, tmp_path) as uploads:
        identity = await begun(uploads, MIB)
        assert await on_nodes(cluster, 2)
        (file,) = await due(cluster)
        await refuse(cluster, file)

        with caplog.at_level(logging.WARNING):
            await uploads.delete(identity)
            async with asyncio.timeout(30):
                while "parts of an upload are left in the store" not in caplog.text:
                    await asyncio.sleep(0.02)

        with pytest.raises(PenstockError):
            await uploads.look(identity)
