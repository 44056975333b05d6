"""Nodes in this process, and a small disk for them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.node.nodes import NodeHere, running_node
from tests.server.conftest import small_disk

__all__ = ["small_disk"]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[NodeHere]:
    """A node without a secret."""
    async with running_node(tmp_path / "node") as running:
        yield running
