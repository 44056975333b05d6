"""tuspyserver behind FastAPI and uvicorn; pip fetches them at their first use."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from bench.peers.server import PeerMissing, Server

_SOURCE = Path(__file__).with_name("tus_py_app.py")
_PACKAGE = "tuspyserver==4.4.3"
_BESIDE = ("fastapi==0.165.0", "uvicorn[standard]==0.54.0")
_PATIENCE = 180.0


class TusPy(Server):
    """Files on the local disk, locks in files."""

    name = "tuspyserver"
    note = f"{_PACKAGE} with {' and '.join(_BESIDE)}, one worker; no digest, no fsync of the bytes"
    arguments: ClassVar[tuple[str, ...]] = ()

    def command(self) -> list[str]:
        return [str(_python()), str(_SOURCE), str(self.root), str(self.port), *self.arguments]


class TusPyStorage(TusPy):
    """Writes in threads, each PATCH when all of it has come."""

    name = "tuspyserver, storage"
    note = "with storage=LocalFileStorage, which holds a PATCH in memory until it ends, and fsyncs"
    arguments: ClassVar[tuple[str, ...]] = ("storage",)


def _python() -> Path:
    """The Python of a virtual environment of its own: it would bring its dependencies into ours.

    :raises PeerMissing: pip cannot fetch a package.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = cache / "penstock-bench" / f"{_PACKAGE}-py{sys.version_info[0]}.{sys.version_info[1]}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        # The folder is not there to be removed once it has its name.
        with tempfile.TemporaryDirectory(dir=kept.parent, ignore_cleanup_errors=True) as folder:
            _run(sys.executable, "-m", "venv", folder)
            _run(f"{folder}/bin/python", "-m", "pip", "install", "--quiet", _PACKAGE, *_BESIDE)
            Path(folder).rename(kept)
    return kept / "bin" / "python"


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise PeerMissing(f"pip did not fetch {_PACKAGE} in {_PATIENCE:.0f} s") from error
    if done.returncode:
        raise PeerMissing(f"pip cannot fetch {_PACKAGE}: {' '.join(done.stderr.split())[:200]}")
