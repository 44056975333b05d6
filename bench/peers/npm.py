"""Packages of npm, fetched when a peer first needs them."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.peers.server import PeerMissing

_PATIENCE = 180.0


def node() -> str:
    """The program.

    :raises PeerMissing: there is none.
    """
    found = shutil.which("node")
    if found is None:
        raise PeerMissing("Node is not installed; on Debian: apt install nodejs npm")
    return found


def installed(source: Path, scratch: Path, *packages: str) -> Path:
    """A copy of a program in ``scratch``, with the packages that it imports beside it.

    :raises PeerMissing: there is no npm, or it cannot fetch a package.
    """
    # Node looks for packages beside the program.
    program = scratch / source.name
    shutil.copyfile(source, program)
    modules = _modules(packages)
    beside = scratch / modules.name
    beside.unlink(missing_ok=True)
    beside.symlink_to(modules)
    return program


def _modules(packages: tuple[str, ...]) -> Path:
    """The folder of the packages and all they need, kept in the virtual environment."""
    kept = Path(sys.prefix) / "bench" / "+".join(packages).replace("/", "-")
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise PeerMissing("npm is not installed; on Debian: apt install nodejs npm")
        kept.parent.mkdir(exist_ok=True)
        # The folder is not there to be removed once it has its name.
        with tempfile.TemporaryDirectory(dir=kept.parent, ignore_cleanup_errors=True) as folder:
            _install(npm, folder, packages)
            Path(folder).rename(kept)
    return kept / "node_modules"


def _install(npm: str, folder: str, packages: tuple[str, ...]) -> None:
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=0")
    command = [npm, "install", "--prefix", folder, *quiet, *packages]
    names = " and ".join(packages)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise PeerMissing(f"npm did not fetch {names} in {_PATIENCE:.0f} s") from error
    if done.returncode:
        raise PeerMissing(f"npm cannot fetch {names}: {' '.join(done.stderr.split())[:200]}")
