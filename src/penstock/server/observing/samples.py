"""Samples of every thread's stack, taken by a thread of our own.

It takes the interpreter's lock for each of them, so it sees Python only, and what holds the lock
for long is seen late. It needs no permission and no other program.
"""

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from penstock.server.observing.standing import module_of
from penstock.threads import in_thread

_PAUSE: Final = 0.01
_DEEPEST: Final = 100
_MOST_STACKS: Final = 20_000
_WIDTH: Final = 1200
_HEIGHT: Final = 17
_OTHERS: Final = ("others",)

Stack = tuple[str, ...]


class Samples:
    """How often each stack was seen, outermost function first."""

    def __init__(self) -> None:
        self.seen: Counter[Stack] = Counter()
        self._over = threading.Event()

    async def take(self, seconds: float, wanted: str, path: str) -> None:
        """Take samples for some seconds, and write them to a file."""
        try:
            await in_thread(self._take, seconds)
        finally:
            self._over.set()
        write = {"raw": self.raw, "speedscope": self.speedscope, "flamegraph": self.flamegraph}
        await in_thread(_write, path, write[wanted])

    def raw(self) -> str:
        """Folded stacks, as flamegraph.pl reads them."""
        return "".join(f"{';'.join(stack)} {count}\n" for stack, count in sorted(self.seen.items()))

    def speedscope(self) -> str:
        """The file format of speedscope.app."""
        frames = {name: number for number, name in enumerate(sorted(set().union(*self.seen)))}
        total = sum(self.seen.values())
        profile = {
            "type": "sampled",
            "name": "penstock",
            "unit": "none",
            "startValue": 0,
            "endValue": total,
            "samples": [[frames[name] for name in stack] for stack in self.seen],
            "weights": list(self.seen.values()),
        }
        return json.dumps(
            {
                "$schema": "https://www.speedscope.app/file-format-schema.json",
                "shared": {"frames": [{"name": name} for name in frames]},
                "profiles": [profile],
            }
        )

    def flamegraph(self) -> str:
        """A picture: width is time, what is below was called by what is above."""
        boxes = _boxes(self.seen)
        deepest = max((box.depth for box in boxes), default=0) + 1
        drawn = "".join(map(_drawn, boxes))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {deepest * _HEIGHT}"'
            f' font-family="monospace" font-size="11">{drawn}</svg>\n'
        )

    def _take(self, seconds: float) -> None:
        own, until = threading.get_ident(), time.monotonic() + seconds
        while time.monotonic() < until and not self._over.wait(_PAUSE):
            for ident, frame in sys._current_frames().items():
                if ident == own:
                    continue
                names: list[str] = []
                at: FrameType | None = frame
                while at is not None and len(names) < _DEEPEST:
                    names.append(f"{module_of(at.f_code)}:{at.f_code.co_qualname}")
                    at = at.f_back
                stack = tuple(reversed(names))
                full = stack not in self.seen and len(self.seen) >= _MOST_STACKS
                self.seen[_OTHERS if full else stack] += 1


class _Box(NamedTuple):
    name: str
    depth: int
    start: float
    width: float
    samples: int


def _boxes(seen: Counter[Stack]) -> list[_Box]:
    """One for each function of each place where it was called, side by side in their order."""
    total = sum(seen.values()) or 1
    counts: Counter[Stack] = Counter()
    for stack, count in seen.items():
        for depth in range(len(stack)):
            counts[stack[: depth + 1]] += count
    boxes: list[_Box] = []
    ends: dict[Stack, float] = {(): 0.0}
    for path in sorted(counts):
        start = ends[path[:-1]]
        width = counts[path] / total * _WIDTH
        ends[path[:-1]] = start + width
        ends[path] = start
        if width >= 0.3:
            boxes.append(_Box(path[-1], len(path) - 1, start, width, counts[path]))
    return boxes


def _drawn(box: _Box) -> str:
    top = box.depth * _HEIGHT
    shade = f"hsl({hash(box.name) % 50},80%,65%)"
    shown = escape(box.name[: int(box.width / 7)]) if box.width > 30 else ""
    return (
        f"<g><title>{escape(box.name)} ({box.samples} samples)</title>"
        f'<rect x="{box.start:.1f}" y="{top}" width="{box.width:.1f}" height="{_HEIGHT - 1}" '
        f"fill={quoteattr(shade)}/>"
        f'<text x="{box.start + 2:.1f}" y="{top + 12}">{shown}</text></g>'
    )


def _write(path: str, text: Callable[[], str]) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text())
