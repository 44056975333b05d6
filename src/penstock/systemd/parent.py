"""A process that belongs to another one, and does not outlive it."""

import ctypes
import os
import signal
import sys
from dataclasses import dataclass

PARENT = "LISTEN_PPID"
"""Names the process whose children the sockets are for, where LISTEN_PID would name one of them:
that number is not known before the child runs."""

SLOT = "LISTEN_SLOT"
"""Which of the children it is."""

_PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process stands among others that serve the same."""

    supervisor: int
    """Its process id."""
    slot: int


def place() -> Place | None:
    """Where this process stands; ``None`` if no supervisor started it."""
    if not is_child():
        return None
    return Place(int(os.environ[PARENT]), int(os.environ[SLOT]))


def is_child() -> bool:
    """Whether the process that started this one is the one that is named."""
    return os.environ.get(PARENT) == str(os.getppid())


def end_with_parent(supervisor: int) -> None:
    """Have the kernel send SIGTERM when the supervisor ends, however that comes to be."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != supervisor:  # it has ended while this process began
        sys.exit(0)
