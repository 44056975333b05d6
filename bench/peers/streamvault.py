"""StreamVault: an API, a worker on Node, and Redis between them."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bench.measure import cpu_seconds, peak_rss
from bench.peers.npm import node
from bench.peers.server import PeerMissing
from tests.s3.servers import S3Server

VARIABLE = "PENSTOCK_STREAMVAULT"
_START_SECONDS = 30.0
_POLL = 0.05


class StreamVault:
    """Its processes on free ports, working on a bucket; what is measured is the worker."""

    name = "StreamVault"
    note = "its worker; what its API and Redis take is not counted"

    def __init__(self, server: S3Server, endpoint: str, scratch: Path) -> None:
        self._programs = _programs()
        self._redis_program = _redis()
        self._scratch = scratch
        self._redis = _free_port()
        self.api_port = _free_port()
        self._stack = ExitStack()
        self._worker = 0
        self._environment = {
            "PORT": str(self.api_port),
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self._redis),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_S3_BUCKET": server.bucket,
            "AWS_S3_REGION": "us-east-1",
            "AWS_S3_ACCESS_KEY_ID": server.access_key,
            "AWS_S3_SECRET_ACCESS_KEY": server.secret_key,
        }

    def __enter__(self) -> Self:
        self._scratch.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            persistent = ("--save", "", "--appendonly", "no")
            redis = (self._redis_program, "--port", str(self._redis), *persistent)
            self._spawn(stack, "redis", *redis)
            _wait_for(self._redis)
            self._spawn(stack, "api", node(), str(self._programs / "index.js"))
            worker = str(self._programs / "workers" / "startWorkers.js")
            self._worker = self._spawn(stack, "worker", node(), worker)
            _wait_for(self.api_port)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def archive(self, folder: str) -> float:
        """Have a folder archived; answers the seconds that it took.

        :raises RuntimeError: it failed.
        """
        began = time.perf_counter()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api_port}/create-job",
            json.dumps({"s3Key": f"{folder}/"}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            job = json.load(answer)
        queue = "large-downloads" if job["isLargeDownload"] else "small-downloads"
        # At its HEAD GET /job always fails, so it is asked of Redis.
        row = f"bull:{queue}:{job['jobId']}"
        while not self._field(row, "finishedOn"):
            if not _is_alive(self._worker):
                raise RuntimeError(f"{self.name}: its worker ended by itself")
            time.sleep(_POLL)
        seconds = time.perf_counter() - began
        if reason := self._field(row, "failedReason"):
            raise RuntimeError(f"{self.name}: {reason}")
        return seconds

    def key(self, folder: str) -> str:
        """Where the archive of a folder is."""
        return f"exports/{folder}.zip"

    def cpu_seconds(self) -> float:
        return cpu_seconds(self._worker)

    def peak_rss(self) -> int:
        return peak_rss(self._worker)

    def _field(self, row: str, field: str) -> str:
        """A field of a hash in Redis; empty if there is none."""
        words = ("HGET", row, field)
        message = f"*{len(words)}\r\n" + "".join(
            f"${len(word.encode())}\r\n{word}\r\n" for word in words
        )
        with (
            socket.create_connection(("127.0.0.1", self._redis), timeout=60) as connection,
            connection.makefile("rwb") as stream,
        ):
            stream.write(message.encode())
            stream.flush()
            length = int(stream.readline()[1:])
            return stream.read(length).decode() if length > 0 else ""

    def _spawn(self, stack: ExitStack, name: str, *command: str) -> int:
        log = stack.enter_context((self._scratch / f"{name}.log").open("ab"))
        process = subprocess.Popen(
            command,
            cwd=self._scratch,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        stack.callback(_end, process)
        return process.pid


def _programs() -> Path:
    checkout = os.environ.get(VARIABLE)
    built = Path(checkout or "") / "dist"
    if not checkout or not (built / "index.js").exists():
        raise PeerMissing(
            f"{VARIABLE} must name a checkout of github.com/Slacky300/StreamVault in which "
            "`npm ci` and `npm run build` were run"
        )
    return built


def _redis() -> str:
    found = shutil.which("redis-server")
    if found is None:
        raise PeerMissing("Redis is not installed; on Debian: apt install redis-server")
    return found


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
