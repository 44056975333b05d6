"""The picture of a run: what the server held, second by second, over the number of users."""

from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from typing import NamedTuple

from load.job import Mark
from load.watch import Holding, Return

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _GAP, _TOP = 860, 110, 76, 14, 40, 40
_UNITS = {"rss": ("memory (RSS), MB", 1e6), "descriptors": ("descriptors", 1.0)}
_UNITS |= {"threads": ("threads", 1.0), "tasks": ("tasks of asyncio", 1.0)}
_PHASES = {"warm-up": "#f0efe9", "rest": "#dceeec", "run": "#ffffff", "after": "#dceeec"}
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #11211f }
  .title { font-weight: 600; font-size: 15px }
  .end { text-anchor: end }
  .frame { fill: none; stroke: #8aa19d }
  .curve { fill: none; stroke: #0a5560; stroke-width: 1.5 }
  .before { stroke: #b4531a; stroke-dasharray: 5 3 }
"""

Points = Sequence[tuple[float, float]]


class _Panel(NamedTuple):
    """One curve; ``level`` is what was held before the run."""

    title: str
    points: Points
    level: float | None = None


def drawn(
    title: str, holdings: Sequence[Holding], marks: Sequence[Mark], returned: Sequence[Return]
) -> str:
    """The picture as SVG."""
    start = min(mark.at for mark in marks)
    stop = max([mark.at for mark in marks] + [one.at for one in holdings])
    span = max(stop - start, 0.001)
    panels = [_Panel("users", _stairs(marks, start, stop))]
    for one in returned:
        name, unit = _UNITS[one.what]
        held = [(holding.at - start, asdict(holding)[one.what]) for holding in holdings]
        points = [(at, value / unit) for at, value in held if value >= 0 and at >= 0]
        panels.append(_Panel(name, points, one.before / unit))
    shapes = []
    for number, panel in enumerate(panels):
        top = _TOP + 10 + number * (_HEIGHT + _GAP)
        shapes += [*_phases(marks, start, span, top, named=number == 0), *_panel(panel, span, top)]
    height = _TOP + 10 + len(panels) * (_HEIGHT + _GAP)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text class="title" x="{_LEFT}" y="20">{escape(title)}</text>',
            *shapes,
            "</svg>",
            "",
        ]
    )


def _stairs(marks: Sequence[Mark], start: float, stop: float) -> Points:
    points: list[tuple[float, float]] = [(0, 0)]
    for mark in marks:
        if mark.name == "users":
            points += [(mark.at - start, points[-1][1]), (mark.at - start, mark.users)]
    return [*points, (stop - start, points[-1][1])]


def _phases(
    marks: Sequence[Mark], start: float, span: float, top: int, *, named: bool
) -> list[str]:
    begun = [mark for mark in marks if mark.name in _PHASES]
    ends = [mark.at - start for mark in begun[1:]] + [span]
    shapes = []
    for mark, end in zip(begun, ends, strict=True):
        left, right = _x(mark.at - start, span), _x(end, span)
        shapes.append(
            f'<rect x="{left:.1f}" y="{top}" width="{right - left:.1f}" height="{_HEIGHT}" '
            f'fill="{_PHASES[mark.name]}"/>'
        )
        if named and right - left > 8 * len(mark.name):
            shapes.append(f'<text x="{left + 3:.1f}" y="{top - 4}">{mark.name}</text>')
    return shapes


def _panel(panel: _Panel, span: float, top: int) -> list[str]:
    most = max([value for _, value in panel.points] + [panel.level or 0, 1]) * 1.1
    bottom = top + _HEIGHT
    path = " ".join(
        f"{_x(at, span):.1f},{bottom - value / most * _HEIGHT:.1f}" for at, value in panel.points
    )
    right = _WIDTH - _RIGHT
    shapes = [
        f'<rect class="frame" x="{_LEFT}" y="{top}" width="{right - _LEFT}" height="{_HEIGHT}"/>',
        f'<text class="end" x="{_LEFT - 6}" y="{top + 10}">{most:,.0f}</text>',
        f'<text class="end" x="{_LEFT - 6}" y="{bottom}">0</text>',
        f'<text x="{_LEFT}" y="{bottom + 15}">{escape(panel.title)}</text>',
        f'<text class="end" x="{right}" y="{bottom + 15}">{span:.0f} s</text>',
        f'<polyline class="curve" points="{path}"/>',
    ]
    if panel.level is not None:
        y = bottom - panel.level / most * _HEIGHT
        shapes.append(f'<line class="before" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
    return shapes


def _x(seconds: float, span: float) -> float:
    return _LEFT + seconds / span * (_WIDTH - _LEFT - _RIGHT)
