"""A real ``penstock relay`` process."""

import os
import subprocess
import sys
from pathlib import Path

from tests.serving import RunningServer

COMMAND = [sys.executable, "-m", "penstock", "relay"]


class RunningRelay(RunningServer):
    """``penstock relay`` before ``upstream`` on a free port; ``options`` are flags by name."""

    def __init__(self, folder: Path, upstream: str, **options: object) -> None:
        self.data = folder
        self.log = folder.with_name(f"{folder.name}.log")
        given = {"upstream": upstream, "dir": folder, "port": 0, **options}
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *flags],
                stdout=subprocess.PIPE,
                stderr=log,
                env={name: value for name, value in os.environ.items() if "PENSTOCK" not in name},
                text=True,
                start_new_session=True,
            )
        self.announced = self._announced()

    def said(self) -> str:
        """What it prints from now to its end."""
        assert self.process.stdout is not None
        return self.process.stdout.read()
