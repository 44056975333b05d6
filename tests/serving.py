"""Real ``penstock serve``, ``penstock worker`` and ``penstock node`` processes to test against."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


class Running:
    """A process of Penstock that says on its first line that it is ready; ``options`` are settings
    by name.

    ``within`` is a command that runs the one given to it, such as ``ip netns exec NAME``.
    """

    command: str
    announcement: str
    """What stands in the first line before what is ``announced``."""

    def __init__(self, data: Path, within: Sequence[str] = (), /, **options: object) -> None:
        data.parent.mkdir(parents=True, exist_ok=True)
        self.data = data
        self.log = data.with_name(f"{data.name}.log")
        settings = {"data": data, "port": 0, **options}
        environment = {
            **{name: value for name, value in os.environ.items() if "PENSTOCK" not in name},
            **{f"PENSTOCK_{name.upper()}": str(value) for name, value in settings.items()},
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*within, sys.executable, "-m", "penstock", self.command],
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                text=True,
                start_new_session=True,
            )
        self.announced = self._announced()

    def _announced(self) -> str:
        """Wait for the first line; answers what it says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if self.announcement not in line:
            self.kill()
            raise AssertionError(f"it did not start:\n{self.log.read_text()}")
        return line.strip().partition(self.announcement)[2]

    def stop(self) -> int:
        """SIGTERM, wait; answers the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def kill(self) -> None:
        """``kill -9``, as a crash would."""
        if self.process.poll() is None:
            self.process.kill()
        self._wait()

    def _wait(self) -> int:
        code = self.process.wait(timeout=60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def memory(self, name: str = "VmHWM") -> int:
        """A line of ``/proc/PID/status`` in bytes: ``VmHWM`` is the peak RSS."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024

    def descriptors(self) -> int:
        """How many files and sockets the process holds open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class RunningServer(Running):
    """``penstock serve`` on a free port."""

    command = "serve"
    announcement = " is listening on "

    @property
    def url(self) -> str:
        return self.announced

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


class RunningWorker(Running):
    """``penstock worker``; what it announces are its lanes."""

    command = "worker"
    announcement = " works on jobs of the lanes "


class RunningNode(Running):
    """``penstock node`` on a free port, unless one is given.

    ``options`` are options of the command by name, with underscores; ``cluster_secret`` is what
    the variable says.
    """

    command = "node"
    announcement = " is listening on "

    def __init__(
        self,
        data: Path,
        within: Sequence[str] = (),
        /,
        *,
        port: int = 0,
        locator: str = "",
        secret: str = "",
        **options: object,
    ) -> None:
        own = {"data": data, "port": port, "locator": locator, **options}
        named = {f"node_{name}": value for name, value in own.items() if value != ""}
        super().__init__(data, within, cluster_secret=secret, **named)

    @property
    def url(self) -> str:
        return self.announced

    @property
    def address(self) -> str:
        """``host:port``."""
        return self.url.partition("://")[2]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def id(self) -> str:
        return (self.data / "node-id").read_text().strip()

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self.data / "files" / name
