"""``POST /debug/profile/…``: what this process spends its time or its memory on, for an operator.

One profile at a time. A profile shows lines of code, never values. It goes as a file, under a
policy that lets no script of it run on this site. A POST, so that no other site's page begins one.
"""

import glob
import logging
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from aiohttp import web

from penstock.errors import BadRequest, Busy
from penstock.server.observing.cpu_profile import cpu_profile
from penstock.server.observing.heap_profile import heap_profile
from penstock.threads import in_thread, open_in_thread, to_the_end

LONGEST: Final = 60.0
_USUAL: Final = 10.0
_LARGEST: Final = 64 << 20
_PREFIX: Final = "penstock-profile-"
_OLD: Final = 3600.0
"""Seconds; no profile takes so long."""
_FIELDS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Profile(NamedTuple):
    """A file that was written, and how it was made."""

    path: str
    content_type: str
    name: str
    maker: str


_Make = Callable[[str, float, str], Awaitable[tuple[str, str, str, str]]]

_log = logging.getLogger("penstock.observing")
_under_way: set[str] = set()


async def cpu(request: web.Request) -> web.Response:
    """``POST /debug/profile/cpu``: samples of every thread, as a flame graph unless asked else."""
    return await _answer(request, ("flamegraph", "speedscope", "raw"), cpu_profile)


async def heap(request: web.Request) -> web.Response:
    """``POST /debug/profile/heap``: what is allocated meanwhile and still there at the peak."""
    return await _answer(request, ("flamegraph", "speedscope", "csv"), heap_profile)


async def _answer(request: web.Request, formats: tuple[str, ...], make: _Make) -> web.Response:
    seconds, wanted = _seconds(request), request.query.get("format", formats[0])
    if wanted not in formats:
        raise BadRequest(f"format is one of {', '.join(formats)}")
    async with _alone(seconds), _folder() as folder:
        profile = Profile(*await make(folder, seconds, wanted))
        body = await in_thread(_read, profile.path)
    disposition = f'attachment; filename="{profile.name}"'
    _log.info("profile made", extra={"fields": {"profile": profile.name, "maker": profile.maker}})
    return web.Response(
        body=body,
        headers=_FIELDS
        | {
            "Content-Type": profile.content_type,
            "Content-Disposition": disposition,
            "X-Profile-Maker": profile.maker,
        },
    )


def _seconds(request: web.Request) -> float:
    try:
        seconds = float(request.query.get("seconds", _USUAL))
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= LONGEST:
        raise BadRequest(f"seconds is a number from 0.1 to {LONGEST:g}")
    return seconds


@asynccontextmanager
async def _alone(seconds: float) -> AsyncIterator[None]:
    """Two at once would see each other.

    :raises Busy: another is under way.
    """
    if _under_way:
        raise Busy("another profile is being made", retry_after=round(seconds))
    _under_way.add("profile")
    try:
        yield
    finally:
        _under_way.clear()


@asynccontextmanager
async def _folder() -> AsyncIterator[str]:
    """A folder that is there for as long as the profile is made."""
    folder = await open_in_thread(_made, _remove)
    try:
        yield folder
    finally:
        await to_the_end(in_thread(_remove, folder))


def _made() -> str:
    """A new folder; blocks. Those that killed processes left are removed."""
    for left in glob.glob(f"{glob.escape(tempfile.gettempdir())}/{_PREFIX}*"):
        if _is_left(left):
            _remove(left)
    return tempfile.mkdtemp(prefix=_PREFIX)


def _is_left(folder: str) -> bool:
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return False
    return found.st_uid == os.getuid() and time.time() - found.st_mtime > _OLD


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _read(path: str) -> bytes:
    if os.path.getsize(path) > _LARGEST:
        raise Busy("the profile has become too large; ask for fewer seconds")
    with open(path, "rb") as file:
        return file.read()
