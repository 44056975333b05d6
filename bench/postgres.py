"""A PostgreSQL server of one's own, that can be restarted as after a crash."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bench.peers.server import PeerMissing

_PATIENCE = 60.0


class Postgres:
    """A server on a free port; its data lies in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._programs = _programs()
        self._data = folder / "data"
        self._folder = folder
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As SQLAlchemy has it."""
        return f"postgresql+psycopg://penstock@127.0.0.1:{self._port}/postgres"

    def create(self) -> None:
        """Make the database, and start."""
        options = ["-D", str(self._data), "--auth=trust", "--username=penstock"]
        subprocess.run(
            [str(self._programs / "initdb"), *options],
            check=True, capture_output=True, cwd=self._folder, user=self._user, timeout=_PATIENCE,
        )  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        until = time.monotonic() + _PATIENCE
        while True:
            if self._process is None or self._process.poll() is not None:
                self._process = self._spawn()  # again if its port was taken in that moment
            try:
                psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return

    def _spawn(self) -> "subprocess.Popen[bytes]":
        options = ["-D", str(self._data), "-p", str(self._port), "-k", str(self._folder),
                   "-c", "listen_addresses=127.0.0.1"]  # fmt: skip
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(self._programs / "postgres"), *options],
                cwd=self._folder, user=self._user, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def crash(self) -> None:
        """End at once, so that the next start has to recover."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_PATIENCE)
            self._process = None


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A new server, as long as the block lasts.

    Its folder is right below the one for temporary files: another user has to reach it.

    :raises PeerMissing: PostgreSQL is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="penstock-postgres-") as folder:
        server = Postgres(Path(folder))
        try:
            server.create()
            yield server
        finally:
            server.crash()


def _programs() -> Path:
    """The folder of its programs; Debian keeps them off the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    if not folders and on_path is None:
        raise PeerMissing("PostgreSQL is not installed")
    return folders[0] if folders else Path(str(on_path)).parent
