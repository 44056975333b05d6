"""A process that belongs to another one, and does not outlive it."""

import ctypes
import functools
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


@functools.cache
def place() -> Place | None:
    """Where this process stands; ``None`` if no supervisor started it.

    No process that this one starts is meant. If the supervisor has ended already this process does
    too: its sockets are nobody's, and it must not become a supervisor itself.
    """
    supervisor, slot = os.environ.pop(PARENT, ""), os.environ.pop(SLOT, "")
    if not (supervisor.isdecimal() and slot.isdecimal()):
        return None
    found = Place(int(supervisor), int(slot))
    _end_without(found.supervisor)
    return found


def end_with_parent(supervisor: int) -> None:
    """Have the kernel send SIGTERM when the supervisor ends, however that comes to be."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    _end_without(supervisor)


def _end_without(supervisor: int) -> None:
    if os.getppid() != supervisor:  # it has ended while this process began
        sys.exit(0)
