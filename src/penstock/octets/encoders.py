"""Encoders of content codings, at the levels at which they keep up with a fast network.

CPU only and without the GIL: call them in worker threads. ``zstd`` and ``br`` are there if their
libraries are (the extra ``compress``; Python 3.14 has zstd itself). The same bytes in the same
pieces give the same output.
"""

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Final, Protocol

from isal import isal_zlib

from penstock.octets.codings import BROTLI, GZIP, ZSTD

_GZIP_LEVEL: Final = 1
_ZSTD_LEVEL: Final = 1
_BROTLI_QUALITY: Final = 1
_BROTLI_WINDOW: Final = 18  # log2 of bytes; a larger one gains 1 % and costs memory at both ends
_WBITS_GZIP: Final = 31


class Encoder(Protocol):
    """Makes one coded body, piece by piece."""

    def encode(self, data: bytes) -> bytes:
        """What can be sent after the next bytes; perhaps nothing yet."""

    def finish(self) -> bytes:
        """The rest."""


def codings() -> tuple[str, ...]:
    """Those that there are encoders for, best first: the smaller output at little more time."""
    return tuple(_available())


def encoder(coding: str) -> Encoder:
    """A new encoder for one of :func:`codings`."""
    return _available()[coding]()


def encoded(coding: str, data: bytes) -> bytes | None:
    """All of ``data`` at once; ``None`` if that is not smaller."""
    one = encoder(coding)
    result = one.encode(data) + one.finish()
    return result if len(result) < len(data) else None


@cache
def _available() -> dict[str, Callable[[], Encoder]]:
    return dict(_found())


def _found() -> Iterator[tuple[str, Callable[[], Encoder]]]:
    if (zstd := _module("compression.zstd") or _module("backports.zstd")) is not None:
        yield ZSTD, lambda: _Zstd(zstd)
    if (brotli := _module("brotli")) is not None:
        yield BROTLI, lambda: _Brotli(brotli)
    yield GZIP, _Gzip


def _module(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ImportError:
        return None


class _Gzip:
    def __init__(self) -> None:
        made = isal_zlib.compressobj(_GZIP_LEVEL, wbits=_WBITS_GZIP)
        self.encode: Callable[[bytes], bytes] = made.compress
        self.finish: Callable[[], bytes] = made.flush


class _Zstd:
    def __init__(self, zstd: ModuleType) -> None:
        made = zstd.ZstdCompressor(_ZSTD_LEVEL)
        self.encode: Callable[[bytes], bytes] = made.compress
        self.finish: Callable[[], bytes] = made.flush


class _Brotli:
    def __init__(self, brotli: ModuleType) -> None:
        made = brotli.Compressor(quality=_BROTLI_QUALITY, lgwin=_BROTLI_WINDOW)
        self.encode: Callable[[bytes], bytes] = made.process
        self.finish: Callable[[], bytes] = made.finish
