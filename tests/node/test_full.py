"""A node whose disk is full."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.catalog import open_database, sqlite_url
from penstock.errors import StorageFull
from penstock.node.book import Book
from penstock.stores.interface import NOTHING_KNOWN
from tests.node.asking import MIB, get, left_in, lines, put, used
from tests.node.nodes import NodeHere, running_node


async def free(node: NodeHere) -> int:
    _, body = await node.call("GET", "/health")
    return int(json.loads(body)["free"])


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(MIB)


async def test_what_does_not_fit_is_refused_and_nothing_is_left(small_disk: Path) -> None:
    async with running_node(small_disk / "node") as node:
        await put(node, "part-1", bytes(MIB))
        before = await free(node)

        response, body = await node.call("PUT", "/files/part-2", bytes(20 * MIB))

        assert (response.status, list(json.loads(body))) == (507, ["error"])
        assert left_in(node.folder) == ["part-1"]
        assert (await used(node), await free(node)) == (MIB, before)


async def test_a_body_of_unknown_length_fills_the_disk_only_for_a_moment(small_disk: Path) -> None:
    async with running_node(small_disk / "node") as node:
        await put(node, "part-1", bytes(MIB))
        before = await free(node)

        response, body = await node.call("PUT", "/files/part-2", endless())

        assert (response.status, list(json.loads(body))) == (507, ["error"])
        assert left_in(node.folder) == ["part-1"]
        assert (await used(node), await free(node)) == (MIB, before)


async def test_a_full_node_gives_and_deletes_and_starts_again(small_disk: Path) -> None:
    async with running_node(small_disk / "node") as node:
        count = 0
        while (await node.call("PUT", f"/files/part-{count:02}", bytes(MIB)))[0].status == 200:
            count += 1
        assert 5 < count < 16
        assert await free(node) < MIB
    async with running_node(small_disk / "node") as node:
        assert len(await lines(node, "GET", "/parts")) == count
        assert await get(node, "part-00") == bytes(MIB)

        response, _ = await node.call("DELETE", "/files/part-00")

        assert response.status == 200
        await put(node, "part-01", bytes(MIB))
        assert await used(node) == (count - 1) * MIB


def test_a_catalog_without_room_is_told_for_what_it_is(tmp_path: Path) -> None:
    engine = open_database(sqlite_url(tmp_path / "catalog.sqlite"))
    book, long = Book(engine), "x" * 1_000_000
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1")  # as many as there are

    with pytest.raises(StorageFull):
        book.put_all([("part-1", long, 1)])

    assert book.get("part-1", long) == NOTHING_KNOWN
    engine.dispose()
