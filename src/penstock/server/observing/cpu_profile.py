"""Where the processor's time goes: py-spy from outside, or, where it may not look, samples."""

import ctypes
import logging
import os
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from penstock.errors import MissingExtra
from penstock.server.observing.running import run_program
from penstock.server.observing.samples import Samples
from penstock.threads import in_thread

_EXTRA_SECONDS: Final = 30.0
_PR_SET_PTRACER: Final = 0x59616D61
"""prctl(2): "Yama"."""
_TYPES: Final = {
    "flamegraph": ("image/svg+xml", "cpu.svg"),
    "speedscope": ("application/json", "cpu.speedscope.json"),
    "raw": ("text/plain; charset=utf-8", "cpu.txt"),
}

_log = logging.getLogger("penstock.observing")


async def cpu_profile(folder: str, seconds: float, wanted: str) -> tuple[str, str, str, str]:
    """Write a profile of this process; answers path, type, name, and what made it.

    :raises MissingExtra: py-spy is not installed.
    """
    program = await in_thread(_py_spy)
    content_type, name = _TYPES[wanted]
    path = os.path.join(folder, name)
    words = ["record", "--nonblocking", "--pid", str(os.getpid()), "--format", wanted]
    words += ["--duration", str(max(1, round(seconds))), "--output", path]
    with _may_be_looked_at():
        ended = await run_program([program, *words], seconds + _EXTRA_SECONDS)
    if not ended.code and await in_thread(os.path.exists, path):
        return path, content_type, name, "py-spy"
    _log.warning("py-spy cannot look at this process, which looks at itself: %s", ended.said)
    await Samples().take(seconds, wanted, path)
    return path, content_type, name, "samples"


def _py_spy() -> str:
    """Where the program lies; it comes as a wheel, beside Python."""
    program = os.path.join(sysconfig.get_path("scripts"), "py-spy")
    if not os.access(program, os.X_OK):
        raise MissingExtra("a profile of the processor", "profile")
    return program


@contextmanager
def _may_be_looked_at() -> Iterator[None]:
    """Let a child look into its parent, which Yama's usual setting forbids."""
    _allow(ctypes.c_ulong(-1))  # PR_SET_PTRACER_ANY: the child is not there yet
    try:
        yield
    finally:
        _allow(ctypes.c_ulong(0))


def _allow(who: ctypes.c_ulong) -> None:
    try:
        prctl = ctypes.CDLL(None).prctl
    except (AttributeError, OSError):  # not Linux
        return
    prctl(_PR_SET_PTRACER, who, 0, 0, 0)
