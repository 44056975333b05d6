"""Results as Markdown and JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median

from bench.rounds import Benchmark, Result

_HEAD = (
    "| server | CPU s/GiB | MiB/s | peak RSS MB | our CPU ÷ its | our time ÷ its |",
    "| --- | --- | --- | --- | --- | --- |",
)


def comparison(benchmark: Benchmark, results: Sequence[Result]) -> str:
    """One benchmark as a table: medians, with the least and the most in brackets.

    Ratios are taken round by round, so that a slow moment of the machine hits both sides.
    """
    ours = results[0]
    rows = [_row(ours, result) for result in results]
    notes = [f"- {result.server}: {result.note}" for result in results]
    payload = f"{ours.payload / (1 << 20):,.0f} MiB a run, {len(ours.seconds)} runs"
    return "\n".join((f"## {benchmark.title}", "", payload, "", *_HEAD, *rows, "", *notes, ""))


def document(benchmark: Benchmark, results: Sequence[Result]) -> dict[str, object]:
    """The same with every single run."""
    return {
        "name": benchmark.name,
        "title": benchmark.title,
        "results": [asdict(result) for result in results],
    }


def _row(ours: Result, result: Result) -> str:
    cells = (
        result.server,
        spread(result.cpu_per_gib, ".3f"),
        spread(result.mib_per_second, ",.0f"),
        f"{result.peak_rss / 1e6:.0f}",
        *_ratios(ours, result),
    )
    return f"| {' | '.join(cells)} |"


def _ratios(ours: Result, peer: Result) -> tuple[str, str]:
    if peer is ours:
        return "", ""
    return (
        _ratio(ours.cpu_per_gib, peer.cpu_per_gib),
        _ratio(ours.seconds, peer.seconds),
    )


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    return spread([a / b for a, b in zip(ours, theirs, strict=True)], ".2f")


def spread(values: Sequence[float], form: str) -> str:
    """``median (least-most)``."""
    return f"{median(values):{form}} ({min(values):{form}}–{max(values):{form}})"
