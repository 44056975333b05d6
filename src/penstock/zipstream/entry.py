"""What goes into a plan and what comes out of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Layout(StrEnum):
    """How members are written, from the layout that every reader opens to the least exact one."""

    STORED = "stored"
    """Bytes as they are, with CRC-32 and size in front."""
    STORED_BLOCKS = "stored-blocks"
    """Bytes in stored blocks of a deflate stream, with the CRC-32 behind: still an exact size."""
    DEFLATE = "deflate"
    """Deflated, or of unknown size: the ZIP's size is known only when it has been sent."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One member as the caller wants it.

    ``name`` may be hostile: the plan makes it safe. One that ends in ``/`` is a folder, unless
    there are bytes in it. ``size`` in bytes and ``crc32`` of those bytes; ``None`` says that the
    number is not known yet. ``modified`` in seconds since 1970, UTC. ``token`` pins the version of
    the source in 64 bits; it means nothing here but is part of the plan's ETag, and of a member
    whose CRC-32 is not known nothing else tells two versions of one size apart. ``deflate`` asks
    for compression, which leaves the ZIP without a size.
    """

    name: str
    size: int | None
    crc32: int | None
    modified: int
    token: int = 0
    deflate: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A stretch of one member's bytes to be sent: ``start`` ≤ byte < ``stop``, never empty.

    Of a framed member it counts framed bytes; a `Framer` makes them from plain ones.
    """

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
