"""The progress bar: on standard error, and only when that is a terminal."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from penstock.cli.render import printable
from penstock.cli.sizes import human_size

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import ProgressColumn, TaskID

    from penstock.client import Progress

LONGEST_NAME = 40
WORTH_SECONDS = 0.3


class Meters:
    """Makes the progress of each file; without a terminal nobody looks at it."""

    def __init__(self, bars: "Bars | None" = None) -> None:
        self._bars = bars
        self._meters: dict[str, _Meter] = {}

    def __call__(self, key: str) -> "Progress":
        if self._bars is None:
            return _unseen
        return self._meters.setdefault(key, _Meter(self._bars, key))

    def note(self, key: str, text: str) -> None:
        """Say something beside the bytes of a file."""
        if self._bars is not None:
            self._meters.setdefault(key, _Meter(self._bars, key)).note = text

    def finish(self, key: str) -> None:
        """Take the bar of a file away, whatever became of it."""
        meter = self._meters.pop(key, None)
        if meter is not None:
            meter.finish()


class _Meter:
    """One file's bar; small files are through before it is worth drawing one."""

    def __init__(self, bars: "Bars", key: str) -> None:
        self._bars = bars
        self._name = _shortened(printable(key))
        self._task: TaskID | None = None
        self._began = time.monotonic()
        self._done = 0
        self.note = ""

    def __call__(self, done: int, total: int | None) -> None:
        if self._task is None:
            if time.monotonic() > self._began + WORTH_SECONDS:
                self._task = self._bars.add_task(
                    "", total=total, completed=done, name=self._name, note=self.note
                )
        elif done < self._done:
            # It starts again, or goes on with what is there: neither may count into the rate.
            self._bars.reset(self._task, total=total, completed=done, note=self.note)
        else:
            self._bars.update(self._task, total=total, completed=done, note=self.note)
        self._done = done

    def finish(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)


@contextmanager
def progress_meters(*, shown: bool) -> Iterator[Meters]:
    """Meters that are drawn while the block runs, if they are to be ``shown`` and can be."""
    if not shown or not sys.stderr.isatty():
        yield Meters()
        return
    from rich.console import Console
    from rich.progress import Progress

    # Result lines go above the bar when both share the terminal; into a file they go untouched.
    with Progress(
        *_columns(),
        console=Console(stderr=True),
        transient=True,
        expand=True,
        redirect_stdout=sys.stdout.isatty(),
        redirect_stderr=True,
    ) as bars:
        yield Meters(bars)


def _columns() -> "tuple[ProgressColumn, ...]":
    """Name, bar, bytes, a note, rate and time to go; all sizes in units of 1,024."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{human_size(speed)}/s" if speed else "", style="progress.data.speed")

    return (
        TextColumn("{task.fields[name]}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        TextColumn("{task.fields[note]}", markup=False),
        RateColumn(),
        TimeRemainingColumn(),
    )


def _unseen(done: int, total: int | None) -> None:
    pass


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else "…" + name[1 - LONGEST_NAME :]
