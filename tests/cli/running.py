"""The real ``penstock`` command, run in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def kinds(messages: Sequence[dict[str, Any]]) -> list[str]:
    """The ``message_type`` of each message."""
    return [message["message_type"] for message in messages]
