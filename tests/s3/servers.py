"""S3 servers to test against, from pip, in an environment of their own below the user's cache.

Swift is a real server: it enforces signatures and part sizes, and knows no checksums. ministack is
an emulator that knows CRC-32. ``PENSTOCK_TEST_S3_URL``, as ``http://KEY:SECRET@HOST:PORT/BUCKET``,
names another one that the same tests are run on. What they get wrong is in docs/how-to/s3.md.
"""

import fcntl
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from penstock.stores.s3.options import S3Options

NAMED = os.environ.get("PENSTOCK_TEST_S3_URL", "")
QUICK = ["ministack", *(["named"] if NAMED else [])]
KINDS = ["swift", *QUICK]

_HERE = Path(__file__).parent
_INSTALL_SECONDS = 80
_START_SECONDS = 15
_STARTS = 2


class Unavailable(Exception):
    """The server cannot be had; the text says why."""


@dataclass(frozen=True)
class S3Server:
    """Where a server is and who may use it."""

    kind: str
    endpoint: str
    access_key: str
    secret_key: str
    bucket: str = "penstock-tests"

    def options(self, **more: Any) -> S3Options:
        """How a store uses it; a request that fails is given up soon."""
        return S3Options(
            **{
                "endpoint": self.endpoint,
                "region": "us-east-1",
                "access_key": self.access_key,
                "secret_key": self.secret_key,
                **more,
            }
        )

    def settings(self, prefix: str) -> dict[str, str]:
        """Settings of ``penstock serve`` by name."""
        return {
            "store": f"s3://{self.bucket}/{prefix}",
            "s3_endpoint": self.endpoint,
            "s3_region": "us-east-1",
            "s3_access_key": self.access_key,
            "s3_secret_key": self.secret_key,
        }


@contextmanager
def running(kind: str, folder: Path) -> Iterator[S3Server]:
    """Such a server, until it is left.

    :raises Unavailable: it cannot be had here.
    """
    if kind == "named":
        parts = urlsplit(NAMED)
        endpoint = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        key, secret = parts.username or "", parts.password or ""
        yield S3Server(kind, endpoint, key, secret, parts.path.strip("/"))
        return
    programs = _environment()
    if kind == "swift":
        _require_xattrs(folder)
    with ExitStack() as stack:
        yield _started(kind, folder, programs, stack)


def _started(kind: str, folder: Path, programs: Path, stack: ExitStack) -> S3Server:
    """The server, which ``stack`` stops. Another program may take a port before it does."""
    for left in reversed(range(_STARTS)):
        place = folder / f"{kind}-{left}"
        ports = _free_ports(4 if kind == "swift" else 1)
        endpoint = f"http://127.0.0.1:{ports.start}"
        try:
            if kind == "swift":
                command = [programs / "python", _HERE / "run_swift.py", place, ports.start]
                stack.enter_context(_process(command, {}, place.with_suffix(".log"), ports))
                return S3Server(kind, endpoint, "test:test", "testtest")
            variables = {
                "GATEWAY_PORT": str(ports.start),
                "BIND_HOST": "127.0.0.1",
                "SERVICES": "s3",
                "AUTH": "true",
                "DOCKER_HOST": "unix:///nonexistent",
            }
            command = [programs / "ministack"]
            stack.enter_context(_process(command, variables, place.with_suffix(".log"), ports))
            return S3Server(kind, endpoint, "test", "test")
        except Unavailable:
            if not left:
                raise
    raise AssertionError


_refused: list[str] = []
"""Why there are no programs, once that is known: nobody waits for it twice."""


def _environment() -> Path:
    """The folder of the servers' programs, made by the first who asks."""
    if _refused:
        raise Unavailable(_refused[0])
    try:
        return _made()
    except Unavailable as reason:
        _refused.append(str(reason))
        raise


def _made() -> Path:
    requirements = _HERE / "servers.txt"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    made = cache / "penstock-tests" / f"s3-servers-{version}-{digest}"
    made.mkdir(parents=True, exist_ok=True)
    with (made / "lock").open("w") as lock:
        _lock(lock.fileno())
        complete = made / "complete"
        if not (made / "bin" / "python").exists():
            # Nothing is there yet; or the Python that it was made with was removed.
            complete.unlink(missing_ok=True)
            for name in ("bin", "lib"):
                shutil.rmtree(made / name, ignore_errors=True)
        if not complete.exists():
            _install(made, requirements)
            complete.touch()
    return made / "bin"


def _lock(fd: int) -> None:
    """Wait while another installs, not longer than that may take."""
    until = time.monotonic() + _INSTALL_SECONDS + 10
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise Unavailable("another process installs the S3 servers for too long") from None
            time.sleep(0.1)
        else:
            return


def _install(made: Path, requirements: Path) -> None:
    pip: list[str | Path] = [
        made / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--only-binary=:all:",
    ]
    steps: list[list[str | Path]] = [
        [sys.executable, "-m", "venv", made],
        [*pip, "--no-deps", "--requirement", requirements],
    ]
    until = time.monotonic() + _INSTALL_SECONDS
    for step in steps:
        left = max(1.0, until - time.monotonic())
        try:
            subprocess.run(step, check=True, capture_output=True, text=True, timeout=left)
        except OSError as error:
            raise Unavailable(f"S3 servers cannot be installed: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise Unavailable(f"S3 servers not installed in {_INSTALL_SECONDS} s") from None
        except subprocess.CalledProcessError as error:
            reason = (error.stderr or "no reason").strip().splitlines()[-1]
            raise Unavailable(f"S3 servers cannot be installed: {reason}") from None


@contextmanager
def _process(
    command: list[object], variables: Mapping[str, str], log: Path, ports: range
) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(process, ports, log)
        yield
    finally:
        # Its whole session: a server that is cut short must not leave its children.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", ports: range, log: Path) -> None:
    """Until it listens, and what is behind it."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if not any(map(_is_free, ports)):
            return
        time.sleep(0.05)
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no word"]
    raise Unavailable(f"the S3 server did not start: {last[0]}")


def _free_ports(several: int) -> range:
    """Ports in a row that nobody listens on, below those that outgoing connections take."""
    while True:
        start = random.randrange(20_000, 32_000)
        ports = range(start, start + several)
        if all(map(_is_free, ports)):
            return ports


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) != 0


def _require_xattrs(folder: Path) -> None:
    probe = folder / "xattrs"
    probe.touch()
    try:
        os.setxattr(probe, "user.penstock", b"1")
    except OSError:
        raise Unavailable("Swift needs a file system with user xattrs") from None
