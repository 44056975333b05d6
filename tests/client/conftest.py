"""What the tests of the client share."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.client import Client
from penstock.client import retry as client_retry
from tests.client.proxy import Proxy, proxy_to
from tests.faults import Source, faulty
from tests.serving import RunningServer

MIB = 1 << 20


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between tries, shortened: the tests are about what follows them."""
    monkeypatch.setattr(client_retry, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(client_retry, "LONGEST_WAIT", 0.05)


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[Client]:
    async with Client(server.url) as made:
        yield made


@pytest.fixture
async def proxy(server: RunningServer) -> AsyncIterator[Proxy]:
    async with proxy_to(server.url) as made:
        yield made


@pytest.fixture
async def shaky(proxy: Proxy) -> AsyncIterator[Client]:
    """A client that reaches the server through the proxy."""
    async with Client(proxy.url) as made:
        yield made


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A file of random bytes, large enough to be cut in the middle."""
    path = tmp_path / "film.mkv"
    path.write_bytes(os.urandom(8 * MIB + 17))
    return path


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    """Another web server, with files for ZIPs."""
    async with faulty() as made:
        yield made
