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
from contextlib import suppress
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Thread

import pytest

from tests.catalog.conftest import postgres_programs

ROOT = Path(__file__).parents[2]
_PATIENCE = 200.0
_READY = "Ctrl-C ends it"
# A process may end between two looks at it: first its folder is gone, then what was opened there.
_GONE = (FileNotFoundError, ProcessLookupError)


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
Look = Callable[[], tuple[Path | None, str]]


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


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """What is taken for Debian's folder of all versions of PostgreSQL."""
    return tmp_path / "installed"


@pytest.fixture
def look(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """How the program looks for PostgreSQL for the cluster in ``tmp_path``."""
    spec = spec_from_file_location("deploy_cluster", ROOT / "deploy" / "cluster.py")
    assert spec is not None
    assert spec.loader is not None
    program = module_from_spec(spec)
    spec.loader.exec_module(program)
    monkeypatch.setattr(program, "_DEBIAN", installed)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # whom it starts as does not count here
    return lambda: program._look_for_programs(tmp_path)


def descendants(pid: int) -> dict[int, str]:
    """The commands of all processes below one."""
    found = {}
    children = ""
    with suppress(*_GONE):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    for child in children.split():
        with suppress(*_GONE):
            found[int(child)] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
        found |= descendants(int(child))
    return found


def is_running(pid: int) -> bool:
    """Whether it is there, and not only waiting to be reaped."""
    with suppress(*_GONE):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
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
@pytest.mark.timeout(600)
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
@pytest.mark.timeout(600)
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

    cluster.until("penstock node --data")
    port = (folder / "node-1.port").read_text().strip()
    assert f"--port {port}" in cluster.said
    assert port != "0"
    assert ask("GET", f"{cluster.url}/v1/files/a") == content
    second = start_cluster()
    assert second.end() == 1
    assert "runs in" in second.said

    os.kill(gateway, signal.SIGKILL)

    assert cluster.end() == 1
    assert "gateway has ended by SIGKILL" in cluster.said
    assert not [command for pid, command in running.items() if is_running(pid)]


@pytest.mark.slow
@pytest.mark.timeout(600)
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


def test_a_catalog_of_a_postgresql_that_is_gone_is_not_touched(
    folder: Path, start_cluster: StartCluster
) -> None:
    kept = folder / "postgres" / "PG_VERSION"
    kept.parent.mkdir(parents=True)
    kept.write_text("1000\n")

    cluster = start_cluster()

    assert cluster.end() == 1
    assert "PostgreSQL 1000, which made it, is not installed" in cluster.said
    assert "Traceback" not in cluster.said
    assert list(kept.parent.iterdir()) == [kept]


def test_clients_of_postgresql_alone_are_not_enough(installed: Path, look: Look) -> None:
    (installed / "18" / "bin").mkdir(parents=True)
    (installed / "18" / "bin" / "psql").touch()

    assert look() == (None, "PostgreSQL is not installed (initdb was not found)")


def test_the_newest_postgresql_is_taken_for_a_new_folder_and_the_same_one_for_an_old(
    installed: Path, look: Look, tmp_path: Path
) -> None:
    for version in ("9.6", "15", "101", "17"):
        (installed / version / "bin").mkdir(parents=True)
        (installed / version / "bin" / "initdb").touch()

    assert look() == (installed / "101" / "bin", "")

    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("15\n")
    assert look() == (installed / "15" / "bin", "")


def test_make_knows_it() -> None:
    told = subprocess.run(
        ["make", "-n", "cluster", "PORT=1234"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "deploy/cluster.py --port 1234" in told.stdout
