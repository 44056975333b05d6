"""Text in a coding, undone by others' decoders."""

import gzip
import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path

TEXT = b"".join(b"%06d the quick brown fox jumps over the lazy dog\n" % n for n in range(40_000))
"""About 2 MB, so that it is sent in chunks."""


def decoded(coding: str | None, body: bytes) -> bytes:
    """The bytes that ``Content-Encoding`` says ``body`` to be the coded form of."""
    return body if coding is None else _DECODERS[coding](body)


def _unbrotli(body: bytes) -> bytes:
    result: bytes = import_module("brotli").decompress(body)
    return result


def _unzstd(body: bytes) -> bytes:
    try:
        zstd = import_module("compression.zstd")
    except ImportError:
        zstd = import_module("backports.zstd")
    result: bytes = zstd.decompress(body)
    return result


_DECODERS = {"gzip": gzip.decompress, "br": _unbrotli, "zstd": _unzstd}


def times_open(path: Path) -> int:
    """How many descriptors this process holds of a file."""
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # closed meanwhile
            count += os.readlink(f"/proc/self/fd/{fd}") == str(path)
    return count
