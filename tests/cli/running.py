"""The real ``penstock`` command, run in a process of its own, or in this one."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.cli.root import run

COMMAND = [sys.executable, "-m", "penstock"]


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it wrote."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.decode().splitlines()

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The JSON lines of ``--json``."""
        return [json.loads(line) for line in self.lines]


@dataclass(frozen=True)
class Cli:
    """Runs ``penstock`` in ``folder`` against ``server``."""

    server: str
    folder: Path

    def __call__(self, *arguments: str | Path, stdin: bytes = b"", **variables: str) -> Ran:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env=self.environment(variables),
            timeout=60,
        )
        return Ran(done.returncode, done.stdout, done.stderr.decode())

    def start(self, *arguments: str | Path, **streams: Any) -> "subprocess.Popen[bytes]":
        """Begin a command that the test will interrupt."""
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment({}),
            **streams,
        )

    def environment(self, variables: dict[str, str]) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if "PENSTOCK" not in name}
        return {**clean, "PENSTOCK_SERVER": self.server, **variables}


@dataclass(frozen=True)
class CliHere:
    """As :class:`Cli`, in this process, which takes a tenth of the time."""

    server: str
    folder: Path
    patch: pytest.MonkeyPatch
    captured: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str | Path, stdin: bytes = b"", **variables: str) -> Ran:
        with self.patch.context() as patch, _standard_input(stdin):
            patch.chdir(self.folder)
            for name in [name for name in os.environ if "PENSTOCK" in name]:
                patch.delenv(name)
            for name, value in {"PENSTOCK_SERVER": self.server, **variables}.items():
                patch.setenv(name, value)
            code = run([*map(str, arguments)])
        told = self.captured.readouterr()
        return Ran(code, told.out.encode(), told.err)


@contextmanager
def _standard_input(content: bytes) -> Iterator[None]:
    """Descriptor 0 reads this, while the block runs."""
    before = os.dup(0)
    try:
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            os.dup2(file.fileno(), 0)
            yield
    finally:
        os.dup2(before, 0)
        os.close(before)


def kinds(messages: Sequence[dict[str, Any]]) -> list[str]:
    """The ``message_type`` of each message."""
    return [message["message_type"] for message in messages]
