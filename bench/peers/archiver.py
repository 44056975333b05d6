"""Node's archiver, from the program beside this file; npm fetches it at its first use."""

from pathlib import Path

from bench.peers import npm
from bench.peers.server import Server

_SOURCE = Path(__file__).with_name("archiver.mjs")
_PACKAGE = "archiver@8.0.0"


class Archiver(Server):
    """ZIPs of a folder or of URLs, behind node:http."""

    name = "archiver"
    note = f"{_PACKAGE} behind node:http, store: true; URLs are fetched one after the other"

    def command(self) -> list[str]:
        program = npm.installed(_SOURCE, self.scratch, _PACKAGE)
        return [npm.node(), str(program), str(self.root), str(self.port)]


class ArchiverDeflate(Archiver):
    """zlib in Node's pool of threads, one file at a time."""

    name = "archiver, level 6"
    note = f"{_PACKAGE} behind node:http, zlib: {{level: 6}}"
    zip_query = "&compress=deflate"
