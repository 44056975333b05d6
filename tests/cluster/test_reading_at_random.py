"""Whatever is wrong with the copies: the bytes that are read are right, or there is an error."""

import asyncio
import os
import random
from collections.abc import Iterable

import pytest

from penstock.catalog.cluster import PartRow
from penstock.errors import ServerUnavailable
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere
from tests.s3.files import put

MIB = 1 << 20
MOST = 5 * MIB


async def a_cluster(start_cluster: StartCluster, chance: random.Random) -> ClusterHere:
    cut = {"part_size": chance.choice([300_000, MIB, MIB + 1, 2 * MIB + 7])}
    by_number = {"parts": chance.randint(1, 7)}
    return await start_cluster(3, **chance.choice([cut, by_number]))


async def spoil(cluster: ClusterHere, parts: Iterable[PartRow], chance: random.Random) -> None:
    """Do something to copies: to one of each of the ``parts``."""
    names = {part.name: chance.choice(part.stored) for part in parts}
    paths = [
        (chance.choice(["damage", "remove", "shorten", "lengthen"]), member.path(name))
        for member in cluster.nodes
        for name, node in names.items()
        if node == member.id
    ]

    def change() -> None:
        for how, path in paths:
            if not path.exists():
                continue
            data = bytearray(path.read_bytes())
            if how == "remove":
                path.unlink()
            elif how == "shorten":
                os.truncate(path, chance.randrange(len(data)))
            elif how == "lengthen":
                path.write_bytes(chance.randbytes(5) + data)
            else:
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
                path.write_bytes(data)

    await asyncio.to_thread(change)


def a_range(size: int, chance: random.Random) -> tuple[int, int | None]:
    start = chance.randrange(size)
    return chance.choice([(0, None), (start, None), (0, start + 1), (start, min(size, start + 9))])


@pytest.mark.parametrize("seed", range(4))
async def test_one_bad_copy_of_each_part_is_never_seen(
    start_cluster: StartCluster, seed: int
) -> None:
    chance = random.Random(seed)
    cluster = await a_cluster(start_cluster, chance)
    data = chance.randbytes(chance.randrange(1, MOST))
    await put(cluster.store, "a", data, size=chance.choice([len(data), None]))
    parts = await cluster.parts("a")

    if chance.random() < 0.3:
        await cluster.kill(chance.randrange(3))
    else:
        await spoil(cluster, parts, chance)

    for _ in range(4):
        start, stop = a_range(len(data), chance)
        got = [piece async for piece in cluster.store.read("a", start, stop)]
        assert b"".join(got) == data[start:stop]


@pytest.mark.parametrize("seed", range(100, 104))
async def test_no_wrong_byte_is_read_whatever_is_bad(
    start_cluster: StartCluster, seed: int
) -> None:
    chance = random.Random(seed)
    cluster = await a_cluster(start_cluster, chance)
    data = chance.randbytes(chance.randrange(1, MOST))
    await put(cluster.store, "a", data, size=chance.choice([len(data), None]))
    parts = await cluster.parts("a")

    for _ in range(3):
        await spoil(cluster, chance.sample(parts, min(2, len(parts))), chance)

    for _ in range(3):
        start, stop = a_range(len(data), chance)
        got = bytearray()
        try:
            async for piece in cluster.store.read("a", start, stop):
                got += piece
        except ServerUnavailable:
            assert data[start:stop].startswith(got)
        else:
            assert got == data[start:stop]
