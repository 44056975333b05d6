"""Ours, as anybody starts it."""

import os
import shlex
import sys
from http.client import HTTPConnection
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from bench.peers.server import Server

_ANNOUNCED = " is listening on "


class Penstock(Server):
    """``penstock serve`` with its defaults; log lines go to a file."""

    name = "penstock"
    note = "one process, defaults, a log line per request to a file"
    announces = True
    settings: ClassVar[dict[str, str]] = {}

    def command(self) -> list[str]:
        """``PENSTOCK_BENCH_COMMAND`` names another one, say of an older version."""
        given = os.environ.get("PENSTOCK_BENCH_COMMAND")
        return shlex.split(given) if given else [sys.executable, "-m", "penstock", "serve"]

    def environment(self) -> dict[str, str]:
        settings = {
            "data": str(self.scratch / "data"),
            "store": self.root.as_uri(),
            "port": str(self.port),
            # The corpus lies in the folder as if it had been uploaded: with its CRC-32s known,
            # once the answers have been checked.
            "zip_read_first": "1TiB",
            **self.settings,
        }
        return {f"PENSTOCK_{name.upper()}": value for name, value in settings.items()}

    def first_port(self) -> int:
        return 0

    def ready(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if _ANNOUNCED not in line:
            self._process.wait(timeout=10)
            self.require_running()
        self.port = int(line.strip().rpartition(":")[2])

    def file_path(self, key: str) -> str:
        return "/v1/files/" + quote(key)

    def learn(self, key: str) -> None:
        connection = HTTPConnection("127.0.0.1", self.port)
        fields = {"Want-Repr-Digest": "sha-256=10"}
        connection.request("HEAD", self.file_path(key), headers=fields)
        assert connection.getresponse().getheader("Repr-Digest")
        connection.close()

    def zip_path(self, folder: str) -> str:
        return f"/v1/zip?prefix={quote(folder)}/{self.zip_query}"

    def urls_path(self) -> str:
        return "/v1/zip"

    def tus_path(self) -> str:
        return "/v1/uploads"

    def tus_file(self, key: str, _path: str) -> Path:
        return self.root / key


class PenstockChunks(Penstock):
    """By the route that compresses chunks, each by itself."""

    def coded_path(self, key: str) -> str:
        return "/download/" + quote(key)


class PenstockWithoutSha256(Penstock):
    """The CRC-32 is taken all the same: ZIPs need it."""

    name = "penstock, no sha-256"
    note = "PENSTOCK_SHA256=false; the CRC-32 is still taken"
    settings: ClassVar[dict[str, str]] = {"sha256": "false"}


class PenstockCrowded(Penstock):
    """Takes more transfers at once than by default."""

    note = "PENSTOCK_MAX_TRANSFERS=20000, otherwise the defaults"
    settings: ClassVar[dict[str, str]] = {"max_transfers": "20000"}


class PenstockTwo(Penstock):
    """Two worker processes."""

    name = "penstock, 2 workers"
    note = "PENSTOCK_WORKERS=2, otherwise the defaults"
    settings: ClassVar[dict[str, str]] = {"workers": "2"}


class PenstockFast(Penstock):
    """Deflates so fast that the network is the limit."""

    name = "penstock, fast"
    note = "level=fast"
    zip_query = "&compress=deflate&level=fast"


class PenstockBest(Penstock):
    """Deflates as small as zlib's level 6."""

    name = "penstock, best"
    note = "level=best"
    zip_query = "&compress=deflate&level=best"


class PenstockUrls(Penstock):
    """May fetch from this machine."""

    note = "PENSTOCK_REMOTE_ALLOW=127.0.0.1, otherwise the defaults; only URLs and names given"
    settings: ClassVar[dict[str, str]] = {"remote_allow": "127.0.0.1"}


class PenstockUrlsKnown(PenstockUrls):
    """Is told what it will find, so that the answer has a length and can be resumed."""

    name = "penstock, told"
    note = "as penstock, with the size and the CRC-32 of every URL given"
