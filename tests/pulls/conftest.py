"""What the tests of pulls share."""

from collections.abc import AsyncIterator

import pytest

from tests.catalog.conftest import postgres, url
from tests.faults import Source, faulty

__all__ = ["postgres", "url"]


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    """Another web server, in the loop of the test."""
    async with faulty() as made:
        yield made
