"""What goes into a plan and what comes out of it."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Entry:
    """One member as the caller wants it.

    ``name`` may be hostile: the plan makes it safe. One that ends in ``/`` is a folder, unless
    there are bytes in it. ``size`` in bytes; ``crc32`` of those bytes; ``modified`` in seconds
    since 1970, UTC. ``token`` pins the version of the source in 64 bits; it means nothing here
    but is part of the plan's ETag.
    """

    name: str
    size: int
    crc32: int
    modified: int
    token: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A stretch of one member's bytes to be sent: ``start`` ≤ byte < ``stop``, never empty."""

    index: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Rename:
    """The entry at ``index`` was ``wanted`` under one name and is ``given`` another."""

    index: int
    wanted: str
    given: str


Segment: TypeAlias = bytes | Member
"""The next piece of the ZIP: bytes to send as they are, or a stretch of a member to fetch."""
