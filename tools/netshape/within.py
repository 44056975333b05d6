"""One command behind a line, which is removed when the command ends."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Sequence
from types import FrameType

from tools.netshape.standing import Standing

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Ended(Exception):
    """A signal came before the command had begun."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


class Command:
    """What runs behind the line. From the moment this is made, signals that ask this process to
    end are passed on to the command, so that the line can be removed after it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._asked_to_end)

    def run(self, line: Standing, words: Sequence[str]) -> int:
        """Run it; answers its exit code, as a shell tells it.

        The command ends with this process, even if that is killed. ``NETSHAPE_HOST`` tells it this
        machine's address.
        """
        self._process = subprocess.Popen(
            line.there.command(*words),
            env={**os.environ, "NETSHAPE_HOST": line.address},
            preexec_fn=_end_with_parent,
        )
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def _asked_to_end(self, number: int, _: FrameType | None) -> None:
        if self._process is None:
            raise Ended(number)
        if number != signal.SIGINT:  # the terminal sends this one to the command too
            self._process.send_signal(number)


def _end_with_parent() -> None:
    """prctl(2); runs in the child before the command does."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
