"""``make cluster``: the whole of it on one machine, started, used, stopped."""

import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.catalog.conftest import postgres_programs

ROOT = Path(__file__).parents[2]
_PATIENCE = 90.0
_READY = "Ctrl-C ends it"


class Started:
    """The program, and what it says."""

    def __init__(self, folder: Path, *options: str, path: str | None = None) -> None:
        clean = {name: value for name, value in os.environ.items() if "PENSTOCK" not in name}
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "deploy/cluster.py", "--dir", str(folder), "--port", "0", *options],
            cwd=ROOT,
            env=clean if path is None else {**clean, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reading = Thread(target=self._read)
        self._reading.start()

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    @property
    def url(self) -> str:
        found = re.search(r"the gateway is (http://\S+)", self.said)
        assert found is not None, self.said
        return found[1]

    def until(self, text: str) -> None:
        """Wait for it to say something."""
        wait_until(lambda: text in self.said, lambda: f"{text!r} is not in:\n{self.said}")

    def processes(self) -> dict[int, str]:
        """All that descend from it, by id."""
        return descendants(self.process.pid)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        code = self.process.wait(_PATIENCE)
        self._reading.join(_PATIENCE)
        return code

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.lines.extend(line.rstrip("\n") for line in stream)


StartCluster = Callable[..., Started]


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that others may enter, since under root PostgreSQL is another; pytest's own are shut."""
    with tempfile.TemporaryDirectory(prefix="penstock-deploy-") as made:
        Path(made).chmod(0o711)
        yield Path(made) / "cluster"


@pytest.fixture
def start_cluster(folder: Path) -> Iterator[StartCluster]:
    started: list[Started] = []

    def start(*options: str, path: str | None = None) -> Started:
        started.append(Started(folder, *options, path=path))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def descendants(pid: int) -> dict[int, str]:
    """The commands of all processes below one."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found[int(child)] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
        found |= descendants(int(child))
    return found


def is_running(pid: int) -> bool:
    """Whether it is there, and not only waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(holds: Callable[[], bool], told: Callable[[], str]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)


def ask(method: str, url: str, body: bytes | None = None) -> bytes:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, method=method)) as answer:
            read: bytes = answer.read()
            return read
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(f"{method} {url}: {error.read().decode()}") from error


def patiently(method: str, url: str) -> bytes:
    """As :func:`ask`, again while the server says that it cannot yet."""
    found: list[bytes] = []

    def answered() -> bool:
        try:
            found.append(ask(method, url))
        except AssertionError as error:
            if '"status": 503' not in str(error):
                raise
        return bool(found)

    wait_until(answered, lambda: f"{url} answers 503")
    return found[0]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_it_starts_a_cluster_that_can_be_used_and_leaves_nothing_running(
    folder: Path, start_cluster: StartCluster
) -> None:
    first = start_cluster()
    first.until(_READY)
    content = os.urandom(3_000_000)
    running = first.processes()

    ask("PUT", f"{first.url}/v1/files/photo.jpg", content)

    assert ask("GET", f"{first.url}/v1/files/photo.jpg") == content
    assert sum(" node " in command for command in running.values()) == 6
    assert "6 of 6 storage nodes are live" in first.said
    if postgres_programs() is not None:
        assert "the catalog is PostgreSQL" in first.said
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
    secret = (folder / "secret").read_text()
    assert len(secret) == 64
    assert first.stop() == 0
    assert first.lines[-1].endswith("| ended")
    assert not [command for pid, command in running.items() if is_running(pid)]
    assert secret not in first.said
    ended = [first.said.rindex(f"{name} | ") for name in ("gateway ", "node-1  ", "cluster ")]
    assert ended == sorted(ended)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_end_of_a_node_is_told_and_that_of_the_gateway_ends_all(
    folder: Path, start_cluster: StartCluster
) -> None:
    folder.mkdir()
    (folder / "gateway").mkdir()
    (folder / "gateway" / "catalog.sqlite").touch()  # as if it had been SQLite before
    cluster = start_cluster("--nodes", "2")
    cluster.until(_READY)
    assert "the catalog is SQLite" in cluster.said
    running = cluster.processes()
    gateway = next(pid for pid, command in running.items() if " serve" in command)
    node = next(pid for pid, command in running.items() if "node-1" in command)
    content = os.urandom(100_000)
    ask("PUT", f"{cluster.url}/v1/files/a", content)

    os.kill(node, signal.SIGKILL)
    cluster.until("node-1 has ended by SIGKILL")

    assert "penstock node --data" in cluster.said
    assert ask("GET", f"{cluster.url}/v1/files/a") == content
    second = Started(folder)
    assert second.end() == 1
    assert "runs in" in second.said

    os.kill(gateway, signal.SIGKILL)

    assert cluster.end() == 1
    assert "gateway has ended by SIGKILL" in cluster.said
    assert not [command for pid, command in running.items() if is_running(pid)]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_when_the_program_is_killed_nothing_is_left_and_another_goes_on(
    folder: Path, start_cluster: StartCluster
) -> None:
    first = start_cluster("--nodes", "1")
    first.until(_READY)
    running = first.processes()
    secret, content = (folder / "secret").read_text(), os.urandom(300_000)
    ask("PUT", f"{first.url}/v1/files/a", content)

    first.process.kill()

    wait_until(
        lambda: not any(map(is_running, running)),
        lambda: f"left: {[command for pid, command in running.items() if is_running(pid)]}",
    )
    again = start_cluster("--nodes", "1")
    again.until(_READY)
    assert patiently("GET", f"{again.url}/v1/files/a") == content
    assert (folder / "secret").read_text() == secret
    assert again.stop() == 0


def test_make_knows_it() -> None:
    told = subprocess.run(
        ["make", "-n", "cluster", "PORT=1234"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "deploy/cluster.py --port 1234" in told.stdout
