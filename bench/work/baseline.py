"""What operations may cost: ``baseline.json``, and the counts of today beside it."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.table import grid
from bench.work.counted import Counts
from bench.work.operations import OPERATIONS

PATH = Path(__file__).with_name("baseline.json")

MORE = 0.10
"""The part of the baseline that a count may grow by; that of ``syncs`` may not …"""

SLACK = {"through us": 4096, "in the kernel": 4096, "calls": 500, "statements": 4}
"""… and what is always allowed, in bytes or times, to one run of an operation: a slow machine
writes down more often how far an upload has come, and a timer of the server's may go off."""

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_BY_PYTHON = "Python calls"
_OPERATIONS = {operation.name: operation for operation in OPERATIONS}


@dataclass(frozen=True)
class Row:
    """A count of an operation. One without ``allowed`` has nothing to be compared with."""

    operation: str
    count: str
    allowed: float | None
    now: float

    @property
    def holds(self) -> bool:
        if self.allowed is None:
            return True
        part = 0 if self.count == "syncs" else MORE * self.allowed
        slack = SLACK.get(self.count, 0) / _OPERATIONS[self.operation].times
        return self.now <= self.allowed + max(part, slack)

    @property
    def verdict(self) -> str:
        if self.allowed is None:
            return f"not compared: no baseline for Python {_PYTHON}"
        return "holds" if self.holds else "MORE WORK"

    @property
    def change(self) -> str:
        return f"{self.now / self.allowed - 1:+.1%}" if self.allowed else ""


def key(count: str) -> str:
    """The name in the file: each version of Python calls functions in its own way."""
    return f"{count}, {_PYTHON}" if count == _BY_PYTHON else count


def compare(now: Mapping[str, Counts], allowed: Mapping[str, Counts]) -> list[Row]:
    """Each count of today; also those that the baseline has nothing for."""
    return [
        Row(name, count, allowed.get(name, {}).get(key(count)), value)
        for name, counts in now.items()
        for count, value in counts.items()
    ]


def read() -> dict[str, Counts]:
    found: dict[str, Counts] = json.loads(PATH.read_text())
    return found


def renew(now: Mapping[str, Counts]) -> None:
    """Write today's counts; those of other versions of Python are kept as they are."""
    known = read() if PATH.exists() else {}
    document = {
        name: {
            **{count: value for count, value in known.get(name, {}).items() if "," in count},
            **{key(count): round(value, 2) for count, value in counts.items()},
        }
        for name, counts in now.items()
    }
    PATH.write_text(json.dumps(document, indent=2) + "\n")


def table(rows: list[Row]) -> str:
    """As Markdown."""
    return "\n".join(grid([["operation", "count", "baseline", "now", "", ""], *_lines(rows)]))


def _lines(rows: list[Row]) -> Iterator[list[str]]:
    for row in rows:
        allowed = "" if row.allowed is None else f"{row.allowed:,.10g}"
        now = f"{round(row.now, 2):,.10g}"
        title = _OPERATIONS[row.operation].title
        yield [title, row.count, allowed, now, row.change, row.verdict]
