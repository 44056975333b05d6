"""A store on a cluster of two nodes, whose catalog is at ``url``; to be imported with a ``url``."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from penstock.catalog import sqlite_url
from penstock.cluster.store import ClusterStore
from tests.cluster.here import running_cluster


@pytest.fixture
async def store(tmp_path: Path, url: str) -> AsyncIterator[ClusterStore]:
    """An empty store."""
    async with running_cluster(tmp_path / "cluster", url, nodes=2) as cluster:
        yield cluster.store


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A catalog on SQLite."""
    return sqlite_url(tmp_path / "cluster.sqlite")


@pytest.fixture(name="url")
def postgres_url(postgres: str) -> str:
    """A catalog on PostgreSQL, empty."""
    name = f"d{uuid4().hex}"
    with psycopg.connect(postgres.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return postgres.rpartition("/")[0] + f"/{name}"
