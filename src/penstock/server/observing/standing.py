"""``GET /debug/tasks`` and ``GET /debug/threads``: where everything stands. No values are shown."""

import asyncio
import sys
import threading
import traceback
from types import CodeType, FrameType
from typing import Final

from aiohttp import web

from penstock.threads import in_thread

_MOST: Final = 2_000
_DEEPEST: Final = 30
_FIELDS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


async def tasks(request: web.Request) -> web.Response:
    """``GET /debug/tasks``: each task of the event loop and the lines where it waits."""
    found = [task for task in asyncio.all_tasks() if not task.done()]
    places = [(task.get_name(), _name(task), _stack(task)) for task in found[:_MOST]]
    text = await in_thread(_told_tasks, places, len(found))
    return web.Response(text=text, headers=_FIELDS)


async def threads(request: web.Request) -> web.Response:
    """``GET /debug/threads``: each thread and the lines where it is."""
    return web.Response(text=await in_thread(_told_threads), headers=_FIELDS)


_Place = tuple[CodeType, int]


def _name(task: "asyncio.Task[object]") -> str:
    return getattr(task.get_coro(), "__qualname__", "?")


def _stack(task: "asyncio.Task[object]") -> list[_Place]:
    """Outermost first: what a task awaits, and what that awaits."""
    places: list[_Place] = []
    waits: object = task.get_coro()
    while waits is not None and len(places) < _DEEPEST:
        frame = getattr(waits, "cr_frame", None) or getattr(waits, "ag_frame", None)
        frame = frame or getattr(waits, "gi_frame", None)
        if frame is not None:
            places.append((frame.f_code, frame.f_lineno))
        waits = (
            getattr(waits, "cr_await", None)
            or getattr(waits, "ag_await", None)
            or getattr(waits, "gi_yieldfrom", None)
        )
    return places


def _told_tasks(found: list[tuple[str, str, list[_Place]]], count: int) -> str:
    """Blocks for long lists."""
    lines = [f"{count} tasks"]
    for name, coroutine, places in found:
        lines += ["", f"{name} {coroutine}", *map(_line, places)]
    if count > len(found):
        lines += ["", f"and {count - len(found)} more"]
    return "\n".join(lines) + "\n"


def _told_threads() -> str:
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = sys._current_frames()
    lines = [f"{len(frames)} threads"]
    for ident, frame in frames.items():
        lines += ["", names.get(ident, f"thread {ident}"), *map(_line, _frames(frame))]
    return "\n".join(lines) + "\n"


def _frames(frame: FrameType) -> list[_Place]:
    walked = [(one.f_code, line) for one, line in traceback.walk_stack(frame)]
    return walked[:_DEEPEST][::-1]


def _line(place: _Place) -> str:
    code, line = place
    return f"  {module_of(code)}:{line} {code.co_qualname}"


def module_of(code: CodeType) -> str:
    """The file, without the folders of this machine."""
    parts = code.co_filename.replace("\\", "/").split("/")
    for root in ("site-packages", "src"):
        if root in parts:
            return "/".join(parts[parts.index(root) + 1 :])
    return "/".join(parts[-2:])
