"""Results as Markdown and JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import Protocol

from bench.rounds import Result


class Compared(Protocol):
    """What was measured; the first ``ours`` of the ``compared`` (server, client) are ours.

    ``shrinks`` says that what is sent is smaller than the content, so that sizes are compared too.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def ours(self) -> int: ...
    @property
    def shrinks(self) -> bool: ...
    @property
    def compared(self) -> str: ...


def comparison(benchmark: Compared, results: Sequence[Result]) -> str:
    """One benchmark as a table: medians, with the least and the most in brackets.

    Ratios are taken round by round, so that a slow moment of the machine hits both sides.
    """
    ours = results[: benchmark.ours]
    rows = [_head(benchmark, ours), *(_row(benchmark, ours, result) for result in results)]
    notes = [f"- {result.server}: {result.note}" for result in results]
    payload = f"{ours[0].payload / (1 << 20):,.0f} MiB a run, {len(ours[0].seconds)} runs"
    return "\n".join((f"## {benchmark.title}", "", payload, "", *grid(rows), "", *notes, ""))


def grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, the first row being its head."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [lines[0], f"| {' | '.join(['---'] * len(rows[0]))} |", *lines[1:]]


def document(benchmark: Compared, results: Sequence[Result]) -> dict[str, object]:
    """The same with every single run."""
    return {
        "name": benchmark.name,
        "title": benchmark.title,
        "results": [asdict(result) for result in results],
    }


def _head(benchmark: Compared, ours: Sequence[Result]) -> list[str]:
    head = [benchmark.compared, "CPU s/GiB", "MiB/s", "peak RSS MB"]
    quotients = ["CPU", "time"]
    if benchmark.shrinks:
        head.append("size ÷ content")
        quotients.append("size")
    for result in ours:
        whose = "our" if len(ours) == 1 else f"{result.server}:"
        head += [f"{whose} {quotient} ÷ its" for quotient in quotients]
    return head


def _row(benchmark: Compared, ours: Sequence[Result], result: Result) -> list[str]:
    row = [
        result.server,
        spread(result.cpu_per_gib, ".3f"),
        spread(result.mib_per_second, ",.0f"),
        f"{result.peak_rss / 1e6:.0f}",
    ]
    if benchmark.shrinks:
        row.append(f"{result.moved / result.payload:.3f}")
    for mine in ours:
        quotients = [
            _ratio(mine.cpu_per_gib, result.cpu_per_gib),
            _ratio(mine.seconds, result.seconds),
        ]
        if benchmark.shrinks:
            quotients.append(f"{mine.moved / result.moved:.2f}")
        row += ["" if result in ours else quotient for quotient in quotients]
    return row


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    return spread([a / b for a, b in zip(ours, theirs, strict=True)], ".2f")


def spread(values: Sequence[float], form: str) -> str:
    """``median (least-most)``."""
    return f"{median(values):{form}} ({min(values):{form}}–{max(values):{form}})"
