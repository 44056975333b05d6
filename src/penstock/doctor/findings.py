"""What is found."""

from collections.abc import AsyncGenerator
from enum import StrEnum
from typing import NamedTuple, TypeAlias


class State(StrEnum):
    """How grave it is. ``ABSENT`` is what something cannot do, and what is done instead."""

    OK = "ok"
    ABSENT = "absent"
    WARNING = "warning"
    BROKEN = "broken"


class Finding(NamedTuple):
    """One thing that was looked at, and what there is to say of it."""

    name: str
    state: State
    text: str


Findings: TypeAlias = AsyncGenerator[Finding, None]


def ok(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, State.OK, text)


def warning(name: str, text: str) -> Finding:
    """It works, but should be looked after."""
    return Finding(name, State.WARNING, text)


def broken(name: str, text: str) -> Finding:
    """A server would not work with it."""
    return Finding(name, State.BROKEN, text)


def clock(name: str, ahead: float, *, doubtful: float, fatal: float) -> Finding:
    """How far another clock is ahead of this host's, in seconds; over two bounds it is told off."""
    text = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this host's clock"
    if abs(ahead) > fatal:
        return broken(name, f"{text}; set the clock right")
    if abs(ahead) > doubtful:
        return warning(name, f"{text}; have it set by NTP")
    return ok(name, text if abs(ahead) > 1 else "the same as this host's")
