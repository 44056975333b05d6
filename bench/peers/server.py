"""A server under measurement: started for one case, asked for its cost, stopped."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import quote

from bench.measure import cpu_seconds, peak_rss


class PeerMissing(Exception):
    """The program of a peer is not installed; the text says what to install."""


class Server:
    """A process that serves the files below ``root``; ``scratch`` takes its log and leftovers.

    ``name`` stands in the tables, ``note`` says how the server was set up. ``zip_query`` is what
    it is asked for beside the folder of a ZIP. One that ``announces`` says on its standard output
    when it is ready, and nothing more.
    """

    name: str
    note: ClassVar[str] = ""
    zip_query: ClassVar[str] = ""
    announces: ClassVar[bool] = False

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self.scratch = scratch
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> Path:
        return self.scratch / "log"

    def command(self) -> list[str]:
        """What to run, listening on ``self.port``.

        :raises PeerMissing: it is not installed.
        """
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Variables that the process gets beside our own."""
        return {}

    def file_path(self, key: str) -> str:
        """The URL's path of a file, for GET and PUT."""
        return "/" + quote(key)

    def coded_path(self, key: str) -> str:
        """The URL's path of a file that is to be sent in gzip."""
        return self.file_path(key)

    def zip_path(self, folder: str) -> str:
        """The URL's path of the ZIP of all files in a folder."""
        return f"/zip?prefix={quote(folder)}/{self.zip_query}"

    def urls_path(self) -> str:
        """Where ``{"urls": [{"url", "name"}, …]}`` is posted to, to get them as one stored ZIP."""
        return "/zip"

    def tus_path(self) -> str:
        """Where a tus upload is created."""
        return "/files"

    def tus_file(self, _key: str, path: str) -> Path:
        """Where the bytes of a finished tus upload lie; ``path`` is that of its URL."""
        return self.root / path.rpartition("/")[2]

    def learn(self, key: str) -> None:
        """Let the server find out beforehand what it would know of an uploaded file."""

    def __enter__(self) -> Self:
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.port = self.first_port()
        self.start()
        return self

    def first_port(self) -> int:
        """A port to be started on; 0 if the server itself picks one and says which."""
        return _free_port()

    def start(self) -> None:
        """Run the process, on ``self.port``, until it accepts connections."""
        command = self.command()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                # Nobody empties a pipe while the server runs.
                stdout=subprocess.PIPE if self.announces else log,
                stderr=log,
                env={**os.environ, **self.environment()},
                text=True,
            )
        try:
            self.ready()
        except BaseException:
            self.__exit__()
            raise

    def ready(self) -> None:
        """Wait until the server accepts connections."""
        deadline = time.monotonic() + 30
        while True:
            self.require_running()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def require_running(self) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended by itself:\n{self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End it as a crash does, with SIGKILL; it can be started again on the same port."""
        if self._process is not None:
            self._process.kill()
        self._end()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
        self._end()

    def _end(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def peak_rss(self) -> int:
        return peak_rss(self.pid)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
