"""Fixtures that every room's tests share: a real server in a process of its own."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from penstock.catalog import SqlChecksums, open_database, sqlite_url
from tests.serving import RunningServer

StartServer = Callable[..., RunningServer]

# Who starts the tests in the background, or under nohup, has these ignored, and what the tests
# start would inherit that.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start servers with options of one's own; all are stopped after the test."""
    running: list[RunningServer] = []

    def start(data: Path | None = None, **options: object) -> RunningServer:
        server = RunningServer(data or tmp_path / f"data{len(running)}", **options)
        running.append(server)
        return server

    yield start
    for server in running:
        server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests of a module; use keys that no other test uses."""
    running = RunningServer(tmp_path_factory.mktemp("server") / "data")
    yield running
    assert running.stop() == 0


@pytest.fixture
def book(tmp_path: Path) -> Iterator[SqlChecksums]:
    """A checksum book on a fresh SQLite catalog."""
    engine = open_database(sqlite_url(tmp_path / "book.sqlite"))
    yield SqlChecksums(engine)
    engine.dispose()


@pytest.fixture(autouse=True)
def loop_guard() -> Iterator[BlockBuster]:
    """Fails a test in which our code blocks the event loop: on the disk, a lock, a sleep."""
    with blockbuster_ctx("penstock") as guard:
        # On purpose: only pages already in memory are sent there.
        guard.functions["os.sendfile"].can_block_in("penstock/server/wire.py", "send_file")
        # A bug is being logged with its traceback: that may read source files.
        guard.functions["os.stat"].can_block_in("penstock/server/middleware.py", "errors")
        yield guard
