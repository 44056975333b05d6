"""tus' own server for Node, from the program beside this file; npm fetches it at its first use."""

from pathlib import Path

from bench.peers import npm
from bench.peers.server import Server

_SOURCE = Path(__file__).with_name("tus_node.mjs")
_PACKAGES = ("@tus/server@2.4.5", "@tus/file-store@2.1.1")


class TusNode(Server):
    """Files on the local disk, locks in memory."""

    name = "@tus/server"
    note = f"{' with '.join(_PACKAGES)}, as its README starts it; no digest, no fsync"

    def command(self) -> list[str]:
        program = npm.installed(_SOURCE, self.scratch, *_PACKAGES)
        return [npm.node(), str(program), str(self.root), str(self.port)]
