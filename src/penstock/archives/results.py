"""What a ZIP of unknown length is put together from; made in worker threads."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from isal.isal_zlib import crc32

from penstock.archives.planned import Failure
from penstock.zipstream.deflate import Engine, deflate_whole

Encode: TypeAlias = Callable[[bytes, bool], bytes]
"""Makes the body of a block out of its content; told whether it is the last."""


class Whole(NamedTuple):
    """A member that is ready, so that its header can carry its real numbers."""

    member: int
    size: int
    crc32: int
    body: bytes
    deflated: bool


class Begin(NamedTuple):
    """A member of several blocks. Stored as it is if ``stored``, else deflated."""

    member: int
    stored: bool


class Block(NamedTuple):
    """A block of the member begun last: its body, and CRC-32 and length of what is in it."""

    body: bytes
    crc32: int
    size: int
    last: bool


Result: TypeAlias = Whole | Begin | Block | Failure


def whole(member: int, data: bytes, engine: Engine | None) -> Whole:
    """A member that is in memory, deflated if there is an engine and it pays."""
    deflated = deflate_whole(data, engine) if engine is not None and data else None
    body = data if deflated is None else deflated
    return Whole(member, len(data), crc32(data), body, deflated is not None)


def block(encode: Encode, data: bytes, last: bool) -> Block:
    """A block of a larger member."""
    return Block(encode(data, last), crc32(data), len(data), last)
