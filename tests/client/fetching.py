"""A Penstock server that may fetch from sources on this machine."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.faults import chunked, cut
from tests.serving import RunningServer

UNSIZED = replace(chunked(), ranges=False)
"""A source's answers never tell how long the file is."""

DYING = replace(cut(2 << 20, framing="chunked"), ranges=False)
"""Likewise, and they break off after 2 MiB."""


def fetching_server(folders: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """For a module's ``server`` fixture; it gives sources up quickly."""
    folder = folders.mktemp("fetching")
    running = RunningServer(folder / "data", remote_allow="127.0.0.1", remote_tries=1)
    yield running
    assert running.stop() == 0
