"""The processes that a run needs: a Penstock with its defaults, and the origin."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

_ANNOUNCED = " is listening on "
_ROOT = Path(__file__).parents[1]


class Process:
    """A program that says on its first line where it listens, and ends on SIGTERM."""

    def __init__(self, command: list[str], log: Path, **variables: str) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=_ROOT,
                env={**kept, **variables},
            )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip().rpartition(_ANNOUNCED)[2]
        if not self.url.startswith("http"):
            self.stop()
            raise RuntimeError(f"{' '.join(command)} did not start:\n{log.read_text()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, and wait."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate()


def penstock(folder: Path) -> Process:
    """A server with its defaults but one: it may fetch from this machine."""
    return Process(
        ["penstock", "serve"],
        folder / "penstock.log",
        PENSTOCK_DATA=str(folder / "data"),
        PENSTOCK_PORT="0",
        PENSTOCK_REMOTE_ALLOW="127.0.0.1",
    )


def origin(folder: Path, files: Path, address: str) -> Process:
    """A server of the files in one folder."""
    return Process(["load.origin", str(files), address], folder / "origin.log")
