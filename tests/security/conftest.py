"""What the security tests share: applications in this process, and servers of their own."""

from collections.abc import Iterator

import pytest

from tests.security.speaking import LAST, Line, statuses
from tests.server.conftest import api, start_api
from tests.serving import RunningServer

__all__ = ["api", "start_api"]


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that waits for nobody for long; at the end it lives, and was never surprised."""
    server = RunningServer(
        tmp_path_factory.mktemp("hurried") / "data",
        idle_timeout=0.3,
        stall_timeout=0.3,
        log_format="json",
    )
    yield server
    assert statuses(Line(server.port).said(LAST)) == [200]
    assert server.stop() == 0
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "unexpected error" not in log


@pytest.fixture
def line(hurried: RunningServer) -> Line:
    """The way to it."""
    return Line(hurried.port)
