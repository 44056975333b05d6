"""The fixtures of this room."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from penstock.catalog import sqlite_url
from penstock.cluster.store import ClusterStore
from tests.catalog.conftest import postgres, url
from tests.cluster.here import ClusterHere, running_cluster

__all__ = ["postgres", "url"]

StartCluster = Callable[..., Awaitable[ClusterHere]]


@pytest.fixture
async def start_cluster(tmp_path: Path) -> AsyncIterator[StartCluster]:
    """Start clusters with ``nodes`` nodes and options of one's own, by default on SQLite."""
    async with AsyncExitStack() as stack:

        async def start(nodes: int = 3, url: str = "", **options: Any) -> ClusterHere:
            folder = tmp_path / f"cluster-{uuid4().hex}"
            url = url or sqlite_url(tmp_path / f"{folder.name}.sqlite")
            return await stack.enter_async_context(running_cluster(folder, url, nodes, **options))

        yield start


@pytest.fixture
async def cluster(start_cluster: StartCluster) -> ClusterHere:
    """Three live nodes, an SQLite catalog, two copies of each part."""
    return await start_cluster()


@pytest.fixture
def store(cluster: ClusterHere) -> ClusterStore:
    """An empty store on it."""
    return cluster.store
