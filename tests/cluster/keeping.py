"""What the tests of a cluster's upkeep have in common."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy import select

from penstock.catalog.cluster import CopyState
from penstock.catalog.schema import cluster_copies as copies
from penstock.cluster.upkeep import Upkeep
from tests.cluster.here import ClusterHere
from tests.s3.files import content, put

Copies = dict[str, set[str]]
"""Names of parts by the id of the node that has them."""


def keeper(cluster: ClusterHere, *, quiet: float = 0.0) -> Upkeep:
    """One more process that looks after the cluster; it does nothing unless it is told to."""
    catalog = cluster.catalog
    return Upkeep(cluster.shared, catalog.nodes, catalog.removals, catalog.duties, quiet=quiet)


async def put_some(cluster: ClusterHere, *keys: str, size: int = 600_000) -> dict[str, bytes]:
    """Files of their own contents; answers these."""
    files = {key: content(size, seed) for seed, key in enumerate(keys)}
    await asyncio.gather(
        *(put(cluster.store, key, data, size=len(data)) for key, data in files.items())
    )
    return files


async def stored(cluster: ClusterHere) -> Copies:
    """What the catalog says is on the nodes."""
    query = select(copies.c.node, copies.c.name).where(copies.c.state == CopyState.STORED)

    def read() -> Copies:
        found: Copies = {member.id: set() for member in cluster.nodes}
        with cluster.catalog.engine.connect() as connection:
            for node, name in connection.execute(query):
                found[node].add(name)
        return found

    return await asyncio.to_thread(read)


async def on_disk(cluster: ClusterHere) -> Copies:
    """What is on the nodes."""
    disks = await cluster.on_disks()
    return {member.id: disk for member, disk in zip(cluster.nodes, disks, strict=True)}


async def flip(path: Path, at: int = 0) -> None:
    """Change one byte of a file, and neither its size nor its time."""

    def change() -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        with path.open("r+b") as file:
            file.write(data)

    await asyncio.to_thread(change)


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    """Wait until something holds that must be asked for."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.05)
