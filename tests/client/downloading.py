"""What the tests of downloads from other servers share; a test module imports the fixtures."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from penstock.client import Client
from penstock.errors import ServerUnavailable
from tests.client.proxy import Proxy

KIB = 1 << 10
FILM = os.urandom(600 * KIB + 17)
OTHER = os.urandom(len(FILM))
NOBODY = "http://127.0.0.1:1"
"""The server of a client that only downloads from others."""

SMALL_SIZES = {
    "arrivals.LEAST": 16 * KIB,
    "crew.FIRST_STRETCH": 64 * KIB,
    "crew.LOOK_SECONDS": 0.02,
    "crew.WORTH_SECONDS": 0.0,
}

WAYS: dict[str, dict[str, Any]] = {
    "as it likes": {},
    "ranges": {"range_size": 64 * KIB},
    "in sequence": {"range_size": 64 * KIB, "parallel": 1},
}


@pytest.fixture(autouse=True)
def small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is meant for large files happens to small ones."""
    for name, value in SMALL_SIZES.items():
        monkeypatch.setattr(f"penstock.client.{name}", value)


@pytest.fixture(params=WAYS)
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """A client by each of the ways to ask for a file."""
    way = WAYS[request.param]
    async with Client(NOBODY, timeout=5.0, **way) as made:
        yield made


@pytest.fixture
async def plain() -> AsyncIterator[Client]:
    """A client as it is by default, for what does not depend on how a file is asked for."""
    async with Client(NOBODY, timeout=5.0, tries=3) as made:
        yield made


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here" / "film"


def beside(target: Path) -> list[str]:
    """The names of everything in the target's folder."""
    return sorted(os.listdir(target.parent))


async def leave_a_part(proxy: Proxy, path: str, target: Path) -> None:
    """Give a download up after about 200 KiB."""
    proxy.cut_answers = [200 * KIB] * 20
    async with Client(NOBODY, tries=1, parallel=1) as impatient:
        with pytest.raises(ServerUnavailable):
            await impatient.download(f"{proxy.url}{path}", target)
    proxy.cut_answers = []
    proxy.answered = 0
