"""``penstock doctor`` on a cluster; tests/cli/test_nodes.py has one whose nodes are well."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from penstock.catalog import GroupCommit, open_database, sqlite_url
from penstock.catalog.clock import NOW
from penstock.catalog.cluster import Heard, Nodes
from penstock.catalog.schema import nodes as table
from penstock.doctor import Finding, State
from penstock.settings import Settings
from penstock.wiring import examination
from tests.node.nodes import NodeHere, running_node

SECRET = "which-nobody-is-shown"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[NodeHere]:
    """One that announces itself to nobody."""
    async with running_node(tmp_path / "node", SECRET) as running:
        yield running


async def hear(data: Path, *heard: Heard, silent: float = 0.0) -> None:
    """Have the catalog know nodes, that joined a while ago."""
    await asyncio.to_thread(data.mkdir, exist_ok=True)
    engine = await asyncio.to_thread(open_database, sqlite_url(data / "catalog.sqlite"))
    commits = GroupCommit(engine)
    await Nodes(engine, commits, 30.0).hear(heard)
    aged = update(table).values(
        joined=NOW - 100 - silent, seen=NOW - silent if silent else NOW + 30
    )
    await commits.run(lambda connection: connection.execute(aged))
    await commits.close()
    await asyncio.to_thread(engine.dispose)


async def looked(data: Path, **settings: Any) -> dict[str, Finding]:
    """The findings by name."""
    given = {"data": data, "store": "cluster://", "cluster_secret": SECRET, **settings}
    made = await asyncio.to_thread(lambda: examination(Settings(**given)))
    findings = {finding.name: finding async for finding in made.findings()}
    assert SECRET not in repr(findings)
    return findings


async def test_a_cluster_that_nobody_joined_waits_and_nothing_is_made(tmp_path: Path) -> None:
    found = await looked(tmp_path / "data", cluster_min_nodes=6)

    assert found["storage nodes"].state is State.WARNING
    assert found["storage nodes"].text.startswith(
        "0 of 0 known are live, and nothing is stored before 6 are"
    )
    assert not await asyncio.to_thread((tmp_path / "data").exists)


async def test_a_missing_secret_is_told(tmp_path: Path) -> None:
    found = await looked(tmp_path / "data", cluster_secret="")

    assert found["cluster's secret"].state is State.WARNING


async def test_a_node_that_is_well_is_told_of_with_its_clock(
    tmp_path: Path, node: NodeHere
) -> None:
    data = tmp_path / "data"
    await hear(data, Heard(node.id, node.address, 100, 50, 0))

    found = await looked(data, cluster_replicas=1)

    assert found["storage nodes"] == Finding("storage nodes", State.OK, "1 of 1 known are live")
    assert found[f"node {node.id}"].state is State.OK
    assert found[f"node {node.id}'s clock"].state is State.OK


async def test_fewer_nodes_than_copies_are_told(tmp_path: Path, node: NodeHere) -> None:
    await hear(tmp_path / "data", Heard(node.id, node.address, 100, 50, 0))

    found = await looked(tmp_path / "data", cluster_replicas=2)

    assert "fewer than 2 copies" in found["storage nodes"].text


async def test_a_node_that_answers_but_is_not_heard_is_told(tmp_path: Path, node: NodeHere) -> None:
    await hear(tmp_path / "data", Heard(node.id, node.address, 100, 50, 0), silent=60)

    found = await looked(tmp_path / "data")

    assert found[f"node {node.id}"].state is State.WARNING
    assert found[f"node {node.id}"].text.startswith("dead, at ")
    assert "although it answers" in found[f"node {node.id}"].text


async def test_another_service_at_a_nodes_address_is_broken_and_none_a_warning(
    tmp_path: Path, node: NodeHere
) -> None:
    other, away = Heard("other", node.address, 100, 50, 0), Heard("away", "127.0.0.1:1", 1, 1, 0)
    await hear(tmp_path / "data", other, away)

    found = await looked(tmp_path / "data")

    assert found["node other"].state is State.BROKEN
    assert found["node away"].state is State.WARNING
    assert found["node away"].text == "live, at 127.0.0.1:1; it cannot be reached from this host"
