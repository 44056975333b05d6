"""What memory goes to while the profile is made: memray, in this process."""

import asyncio
import importlib.util
import logging
import os
import sys
from contextlib import ExitStack
from typing import Final

from penstock.errors import Busy, MissingExtra
from penstock.server.observing.running import run_program
from penstock.threads import in_thread, to_the_end

_PATIENCE: Final = 120.0

_log = logging.getLogger("penstock.observing")


async def heap_profile(folder: str, seconds: float, wanted: str) -> tuple[str, str, str, str]:
    """Write a profile of this process; answers path, type, name, and what made it.

    :raises MissingExtra: memray is not installed.
    :raises Busy: something else tracks the memory of this process already.
    """
    if await in_thread(importlib.util.find_spec, "memray") is None:
        raise MissingExtra("a profile of the memory", "profile")
    recorded = os.path.join(folder, "recorded")
    tracking = ExitStack()
    try:
        # Whoever leaves meanwhile does so when it has begun, so that it can be ended.
        await to_the_end(in_thread(_begin, recorded, tracking))
        await asyncio.sleep(seconds)
    finally:
        await to_the_end(in_thread(tracking.close))
    name, content_type, words = _REPORTS[wanted]
    path = os.path.join(folder, name)
    command = [sys.executable, "-m", "memray", *words, "--force", "--output", path, recorded]
    ended = await run_program(command, _PATIENCE)
    if ended.code:
        _log.warning("memray ended with %d: %s", ended.code, ended.said)
        raise Busy("the profile could not be read; ask for fewer seconds")
    return path, content_type, name, "memray"


_REPORTS: Final = {
    "flamegraph": ("heap.html", "text/html; charset=utf-8", ["flamegraph", "--no-web"]),
    "speedscope": ("heap.speedscope.json", "application/json", ["transform", "speedscope"]),
    "csv": ("heap.csv", "text/csv; charset=utf-8", ["transform", "csv"]),
}


def _begin(path: str, tracking: ExitStack) -> None:
    """Track until ``tracking`` is closed; blocks: looks at every library that is loaded."""
    from memray import FileDestination, FileFormat, Tracker

    before = sys.argv
    sys.argv = before[:1]  # the report shows it, and a secret may stand in it
    try:
        tracker = Tracker(
            destination=FileDestination(path), file_format=FileFormat.AGGREGATED_ALLOCATIONS
        )
    finally:
        sys.argv = before
    try:
        tracking.enter_context(tracker)
    except RuntimeError as error:
        raise Busy("the memory of this process is being tracked already") from error
