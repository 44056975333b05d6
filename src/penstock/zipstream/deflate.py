"""Deflate engines: blocks that can be made apart, in any order, and joined to one stream.

CPU only and without the GIL: call them from several threads. An engine gives the same bytes for
the same block, whatever came before it.
"""

from enum import StrEnum
from typing import Final

from isal import isal_zlib
from zlib_ng import zlib_ng

from penstock.zipstream.blocks import framed_length, stored

BLOCK: Final = 1 << 20
"""Plain bytes to give to `deflate_block`: much less costs compression, more costs memory."""

_SAMPLE: Final = 16 << 10
_PAYS: Final = 0.95
_RAW: Final = -15  # no zlib header, a window of 32 KiB
_FAST_LEVEL: Final = 2  # 2 % less output than 1, in 4 % more time
_BEST_LEVEL: Final = 6


class Engine(StrEnum):
    """How to deflate."""

    FAST = "fast"
    """Ten times as fast as zlib's level 6, and output a sixth longer: isal."""
    BEST = "best"
    """The output of zlib's level 6 in less time: zlib-ng."""


def deflate_block(data: bytes | memoryview, engine: Engine, *, last: bool) -> bytes:
    """One block of a raw deflate stream, which does not look back on those before it.

    Those of one member, joined in order, are its stream; the ``last`` ends it. Never longer than
    stored blocks of ``data`` would be. Empty ``data`` gives ``b""`` unless it is the last.
    """
    if data:
        deflated = _deflate(data, engine, last=last)
        if len(deflated) < framed_length(len(data)):
            return deflated
    return stored(data, last=last)


def deflate_whole(data: bytes | memoryview, engine: Engine) -> bytes | None:
    """A small member as one stream; ``None`` if that is not shorter than ``data``."""
    deflated = _deflate(data, engine, last=True)
    return deflated if len(deflated) < len(data) else None


def pays(data: bytes | memoryview) -> bool:
    """Is it worth deflating what begins with ``data``, by three samples of 16 KiB?

    A twentieth must be saved. Takes a fraction of a millisecond.
    """
    view = memoryview(data)
    if len(view) > 3 * _SAMPLE:
        middle = (len(view) - _SAMPLE) // 2
        sample = b"".join((view[:_SAMPLE], view[middle : middle + _SAMPLE], view[-_SAMPLE:]))
    else:
        sample = bytes(view)
    return len(_deflate(sample, Engine.FAST, last=True)) <= _PAYS * len(sample)


def _deflate(data: bytes | memoryview, engine: Engine, *, last: bool) -> bytes:
    if engine is Engine.FAST:
        fast = isal_zlib.compressobj(_FAST_LEVEL, wbits=_RAW)
        return fast.compress(data) + fast.flush(
            isal_zlib.Z_FINISH if last else isal_zlib.Z_FULL_FLUSH
        )
    best = zlib_ng.compressobj(_BEST_LEVEL, wbits=_RAW)
    return best.compress(data) + best.flush(zlib_ng.Z_FINISH if last else zlib_ng.Z_FULL_FLUSH)
