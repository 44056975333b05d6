"""What came of a run: figures, thresholds, and whether they hold, as text and as data."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles

from load.job import Transfer
from load.watch import Return

P95 = 30.0
"""Seconds: the threshold of stream-download's load test for 95 of 100 transfers."""
FAILED = 0.1
"""The share of transfers that may fail there."""
_MIB = 1 << 20
_COLUMNS = ("transfer", "count", "failed", "median s", "p95 s", "longest s", "TTFB p95 ms", "MiB")


@dataclass(frozen=True)
class Threshold:
    """One promise, with what was found of it."""

    promise: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Report:
    """One scenario; ``lasted`` seconds. ``trouble`` is what kept the run from being one."""

    scenario: str
    lasted: float
    transfers: Sequence[Transfer]
    returned: Sequence[Return]
    trouble: str = ""

    @property
    def holds(self) -> bool:
        return not self.trouble and all(one.holds for one in self.thresholds())

    def thresholds(self) -> list[Threshold]:
        """The warm-up counts for the bytes alone."""
        run = self._run()
        failed = sum(bool(one.error) for one in run) / len(run) if run else 1.0
        p95 = _percentile([one.seconds for one in run], 95)
        wrong = sum(one.wrong for one in self.transfers)
        return [
            Threshold("some transfers", f"{len(run):,}", bool(run)),
            Threshold(f"95 % take less than {P95:g} s", f"{p95:.2f} s", p95 < P95),
            Threshold(f"less than {FAILED:.0%} fail", f"{failed:.1%}", failed < FAILED),
            Threshold("no wrong bytes", f"{wrong} of {len(self.transfers):,}", wrong == 0),
            Threshold(
                "the server tells what it holds",
                f"{len(self.returned)} of 4 told",
                bool(self.returned),
            ),
            *(_returned(one) for one in self.returned),
        ]

    def text(self) -> str:
        """For people."""
        run = self._run()
        content = sum(one.content for one in run)
        speed = content / _MIB / max(self.lasted, 0.001)
        lines = [
            f"## {self.scenario}: {'holds' if self.holds else 'DOES NOT HOLD'}",
            "",
            f"{len(run):,} transfers, {content / _MIB:,.0f} MiB, {speed:,.1f} MiB/s",
            "",
            f"| {' | '.join(_COLUMNS)} |",
            f"|{' --- |' * len(_COLUMNS)}",
            *(_row(kind, [one for one in run if one.kind == kind]) for kind in _kinds(run)),
            "",
            "| threshold | found | holds |",
            "| --- | --- | --- |",
            *(
                f"| {one.promise} | {one.found} | {'yes' if one.holds else '**no**'} |"
                for one in self.thresholds()
            ),
            "",
        ]
        if self.trouble:
            lines += [f"The run did not work: {self.trouble}", ""]
        errors = Counter(f"{one.kind}: {one.error}" for one in self.transfers if one.error)
        lines += [f"- {count} × {error}" for error, count in errors.most_common(20)]
        return "\n".join([*lines, ""] if errors else lines)

    def document(self) -> dict[str, object]:
        """As data."""
        return {
            "scenario": self.scenario,
            "holds": self.holds,
            "trouble": self.trouble,
            "seconds": self.lasted,
            "thresholds": [asdict(one) for one in self.thresholds()],
            "returned": [asdict(one) for one in self.returned],
            "transfers": [asdict(one) for one in self.transfers],
        }

    def _run(self) -> list[Transfer]:
        return [one for one in self.transfers if one.phase == "run"]


def _returned(one: Return) -> Threshold:
    scale, unit = (1e6, " MB") if one.what == "rss" else (1.0, "")
    before, most, after, allowed = (
        f"{value / scale:,.0f}" for value in (one.before, one.most, one.after, one.allowed)
    )
    return Threshold(
        f"{one.what}: back to what it was, and at most {allowed}{unit} more",
        f"{before} before, {most} at most, {after} after",
        one.holds,
    )


def _row(kind: str, some: Sequence[Transfer]) -> str:
    seconds = [one.seconds for one in some]
    first = [one.first_byte * 1000 for one in some if one.first_byte]
    cells = (
        kind,
        f"{len(some):,}",
        f"{sum(bool(one.error) for one in some):,}",
        f"{_percentile(seconds, 50):.3f}",
        f"{_percentile(seconds, 95):.3f}",
        f"{max(seconds):.3f}",
        f"{_percentile(first, 95):.1f}" if first else "",
        f"{sum(one.content for one in some) / _MIB:,.1f}",
    )
    return f"| {' | '.join(cells)} |"


def _kinds(run: Sequence[Transfer]) -> list[str]:
    return sorted({one.kind for one in run})


def _percentile(values: Sequence[float], of_hundred: int) -> float:
    if len(values) < 2:
        return values[0] if values else 0.0
    return quantiles(values, n=100, method="inclusive")[of_hundred - 1]
