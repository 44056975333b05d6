"""Go's net/http and archive/zip, from the program beside this file."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

from bench.peers.server import PeerMissing, Server

_SOURCE = Path(__file__).with_name("goserver.go")


class Go(Server):
    """One program for everything: FileServer, PUT, and ZIPs of a folder or of URLs."""

    name = "go"
    note = (
        "net/http and archive/zip, default GOMAXPROCS; uploads are fsynced, not digested; "
        "URLs are fetched one after the other"
    )
    flags: ClassVar[tuple[str, ...]] = ()

    def command(self) -> list[str]:
        listen = f"127.0.0.1:{self.port}"
        return [str(self._build()), "-root", str(self.root), "-listen", listen, *self.flags]

    def _build(self) -> Path:
        program = self.scratch / "goserver"
        setting = {**os.environ, "GO111MODULE": "off", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
        subprocess.run([go_command(), "build", "-o", program, _SOURCE], check=True, env=setting)
        return program


class GoGzip(Go):
    """compress/gzip at the level that is made for speed."""

    name = "go, BestSpeed"
    note = "net/http and compress/gzip at BestSpeed, in the goroutine of the request"

    def coded_path(self, key: str) -> str:
        return "/gzip" + self.file_path(key)


class GoSha256(Go):
    """Digests uploads with crypto/sha256 while it writes them."""

    name = "go, sha-256"
    note = "as go, with crypto/sha256 over uploads"
    flags: ClassVar[tuple[str, ...]] = ("-sha256",)


class GoDeflate(Go):
    """compress/flate at the level that archive/zip asks it for, in one goroutine."""

    name = "go, level 5"
    note = "archive/zip with its own compressor, which is compress/flate level 5"
    zip_query = "&compress=deflate"


def go_command() -> str:
    """The Go tool: the one on PATH, or Debian's.

    :raises PeerMissing: there is none.
    """
    debian = sorted(map(str, Path("/usr/lib").glob("go-*/bin")), reverse=True)
    found = shutil.which("go", path=":".join([os.environ["PATH"], "/usr/local/go/bin", *debian]))
    if found is None:
        raise PeerMissing("Go is not installed; on Debian: apt install golang")
    return found
