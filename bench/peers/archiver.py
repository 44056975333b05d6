"""Node's archiver, from the program beside this file; npm fetches it at its first use."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.peers.server import PeerMissing, Server

_SOURCE = Path(__file__).with_name("archiver.mjs")
_PACKAGE = "archiver@8.0.0"
_PATIENCE = 180.0


class Archiver(Server):
    """ZIPs of a folder or of URLs, behind node:http."""

    name = "archiver"
    note = f"{_PACKAGE} behind node:http, store: true; URLs are fetched one after the other"

    def command(self) -> list[str]:
        node, modules = shutil.which("node"), _modules()
        if node is None:
            raise PeerMissing("Node is not installed; on Debian: apt install nodejs npm")
        # Node looks for packages beside the program.
        program = self.scratch / _SOURCE.name
        shutil.copyfile(_SOURCE, program)
        beside = self.scratch / modules.name
        beside.unlink(missing_ok=True)
        beside.symlink_to(modules)
        return [node, str(program), str(self.root), str(self.port)]


class ArchiverDeflate(Archiver):
    """zlib in Node's pool of threads, one file at a time."""

    name = "archiver, level 6"
    note = f"{_PACKAGE} behind node:http, zlib: {{level: 6}}"
    zip_query = "&compress=deflate"


def _modules() -> Path:
    """The folder of the package and all it needs, kept in the virtual environment.

    :raises PeerMissing: there is no npm, or it cannot fetch the package.
    """
    kept = Path(sys.prefix) / "bench" / _PACKAGE
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise PeerMissing("npm is not installed; on Debian: apt install nodejs npm")
        kept.parent.mkdir(exist_ok=True)
        # The folder is not there to be removed once it has its name.
        with tempfile.TemporaryDirectory(dir=kept.parent, ignore_cleanup_errors=True) as folder:
            _install(npm, folder)
            Path(folder).rename(kept)
    return kept / "node_modules"


def _install(npm: str, folder: str) -> None:
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=0")
    command = [npm, "install", "--prefix", folder, *quiet, _PACKAGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise PeerMissing(f"npm did not fetch {_PACKAGE} in {_PATIENCE:.0f} s") from error
    if done.returncode:
        raise PeerMissing(f"npm cannot fetch {_PACKAGE}: {' '.join(done.stderr.split())[:200]}")
