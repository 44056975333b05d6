"""What the tests of reading from other servers share."""

import os
from collections.abc import AsyncIterator

import pytest

from penstock.remote import Remote, RemoteLimits
from tests.faults import Source, faulty

SIZE = 1_000_003


@pytest.fixture
def limits() -> RemoteLimits:
    """The test's own servers may be reached, and nothing takes long."""
    return RemoteLimits(
        allow="127.0.0.1",
        connections=4,
        connect_timeout=20,
        answer_timeout=20,
        stall_timeout=20,
        tries=4,
        first_pause=0.01,
        longest_pause=0.02,
        longest_asked_pause=0.05,
    )


@pytest.fixture
async def remote(limits: RemoteLimits) -> AsyncIterator[Remote]:
    made = Remote(limits)
    yield made
    await made.close()


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest.fixture
def film() -> bytes:
    """Random bytes, more than one piece of them."""
    return os.urandom(SIZE)
