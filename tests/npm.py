"""Packages of npm that the tests hold Penstock against, kept outside the checkout."""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

_PATIENCE = 90.0
_QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=0")


def node() -> str:
    """The program; without it the test is skipped."""
    return _program("node")


def npm_packages(*packages: str) -> Path:
    """A ``node_modules`` with these (``name@version``) and all they need.

    Without npm, or where it cannot fetch them, the test is skipped.
    """
    node()
    npm = _program("npm")
    kept = _cache() / "+".join(packages).replace("/", "-")
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        # The folder is not there to be removed once it has its name.
        with tempfile.TemporaryDirectory(dir=kept.parent, ignore_cleanup_errors=True) as folder:
            _install(npm, folder, packages)
            with suppress(OSError):  # another process was quicker
                Path(folder).rename(kept)
    return kept / "node_modules"


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; on Debian: apt install nodejs npm")
    return found


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "penstock-tests" / "npm"


def _install(npm: str, folder: str, packages: tuple[str, ...]) -> None:
    command = [npm, "install", "--prefix", folder, *_QUIET, *packages]
    names = " and ".join(packages)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not fetch {names} in {_PATIENCE:.0f} s")
    if done.returncode:
        pytest.skip(f"npm cannot fetch {names}: {' '.join(done.stderr.split())[:200]}")
