"""The console client in a process that is there at once, and can be killed at any moment.

A server process has everything imported that the client needs, and forks.
"""

import multiprocessing
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path

from penstock.client import retry
from penstock.client.session import Client
from tests.client.downloading import SMALL_SIZES

_PATIENCE = 20.0
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(
    [__name__, Client.__module__, "penstock.cli.root", "penstock.cli.get"]
)


class Killable:
    """``penstock`` with these arguments, its output in a log.

    Retries do not wait long, and what is meant for large files happens to small ones.
    """

    def __init__(self, log: Path, arguments: Sequence[str]) -> None:
        self._log = log
        self._process: BaseProcess = _forks.Process(
            target=_run, args=(str(log), list(arguments)), daemon=True
        )
        self._process.start()

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        """``kill -9``."""
        self._process.kill()

    def end(self) -> int | None:
        """Wait for it; its exit code, or ``None`` if it was killed."""
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
            raise AssertionError(f"the client did not end:\n{self._log.read_text()}")
        code = self._process.exitcode
        self._process.close()
        assert code is not None
        return None if code < 0 else code


def _run(log: str, arguments: list[str]) -> None:
    from penstock.cli.root import run

    retry.FIRST_WAIT, retry.LONGEST_WAIT = 0.01, 0.05
    for name, value in SMALL_SIZES.items():
        module, _, constant = name.partition(".")
        setattr(import_module(f"penstock.client.{module}"), constant, value)
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    sys.exit(run(arguments))
