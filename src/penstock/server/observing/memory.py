"""``GET /debug/memory``: what stream-download's answer has, as far as Python has the like.

Its numbers are Go's. Each is what comes nearest to it here; none is made up.
"""

import asyncio
import ctypes
import functools
import gc
import os
import resource
import sys
import threading
from collections.abc import Callable
from typing import Final, NamedTuple

from aiohttp import web

from penstock.server.observing.reading import open_files, peak, resident
from penstock.threads import in_thread

_MIB: Final = 1 << 20
_NO_STORE: Final = {"Cache-Control": "no-store"}


class _Mallinfo2(ctypes.Structure):
    """``struct mallinfo2`` of glibc 2.33 and later (mallinfo(3)); bytes."""

    _fields_ = (
        *[(name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")],
        *[(name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks")],
        ("keepcost", ctypes.c_size_t),
    )


class _Memory(NamedTuple):
    """Bytes: in RAM, the private part of it, handed out by malloc, kept free by malloc."""

    resident: int
    private: int
    handed_out: int
    kept_free: int


async def memory(request: web.Request) -> web.Response:
    """``GET /debug/memory``: eight numbers; ``?verbose`` adds what only Penstock tells."""
    tasks, threads = len(asyncio.all_tasks()), threading.active_count()
    now = await in_thread(_measured)
    document: dict[str, float | int] = {
        "alloc_mb": now.handed_out / _MIB,
        "goroutines": tasks + threads,
        "heap_alloc_mb": now.handed_out / _MIB,
        "heap_inuse_mb": max(0, now.private - now.kept_free) / _MIB,
        "heap_sys_mb": now.private / _MIB,
        "num_gc": sum(generation["collections"] for generation in gc.get_stats()),
        "sys_mb": now.resident / _MIB,
        "total_alloc_mb": _pages_given() * resource.getpagesize() / _MIB,
    }
    if "verbose" in request.query:
        document |= {
            "open_files": await in_thread(open_files),
            "peak_mb": peak() / _MIB,
            "pid": os.getpid(),
            "python_blocks": sys.getallocatedblocks(),
            "tasks": tasks,
            "threads": threads,
        }
    return web.json_response(document, headers=_NO_STORE)


def _measured() -> _Memory:
    """Blocks: reads ``/proc``, and takes the locks of malloc."""
    all_of_it = resident()
    private = _private(all_of_it)
    told = _mallinfo2()
    if told is None:  # no glibc: what is private is the best that is known
        return _Memory(all_of_it, private, private, 0)
    info = told()
    return _Memory(all_of_it, private, info.uordblks + info.hblkhd, info.fordblks)


def _private(otherwise: int) -> int:
    """Memory that is no file's: ``RssAnon`` of ``/proc/self/status``."""
    try:
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"RssAnon:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return otherwise


def _pages_given() -> int:
    """Pages that the kernel has given the process so far: faults that needed no disk."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


@functools.cache
def _mallinfo2() -> Callable[[], _Mallinfo2] | None:
    """That of the C library, if it has it: musl and macOS do not."""
    try:
        function = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError):
        return None
    function.restype = _Mallinfo2
    function.argtypes = ()
    found: Callable[[], _Mallinfo2] = function
    return found
