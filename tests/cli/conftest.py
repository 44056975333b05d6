"""What the tests of the console command share."""

import os
from pathlib import Path

import pytest

from tests.cli.running import Cli
from tests.serving import RunningServer


@pytest.fixture
def penstock(server: RunningServer, tmp_path: Path) -> Cli:
    """The command in an empty working directory, pointed at the module's server."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Cli(server.url, folder)


@pytest.fixture
def film(penstock: Cli) -> Path:
    """A file of random bytes in the working directory."""
    path = penstock.folder / "film.mkv"
    path.write_bytes(os.urandom((4 << 20) + 17))
    return path
