"""What a command with several items adds up to."""

import time
from typing import TYPE_CHECKING, Any

from penstock.errors import Exit

if TYPE_CHECKING:
    from penstock.client import Done


class Tally:
    """Counts results; ``done`` includes ``skipped``, ``bytes`` are the sizes of what is done."""

    def __init__(self, command: str) -> None:
        self.command = command
        self._began = time.monotonic()
        self._failures: list[Exit] = []
        self.done = 0
        self.skipped = 0
        self.bytes = 0

    def add(self, done: "Done") -> None:
        """Count one success."""
        self.add_size(done.info.size if done.info is not None else 0)
        self.skipped += done.skipped

    def add_size(self, size: int) -> None:
        """Count one success of ``size`` bytes."""
        self.done += 1
        self.bytes += size

    def fail(self, code: Exit) -> None:
        """Count one failure."""
        self._failures.append(code)

    @property
    def failed(self) -> int:
        return len(self._failures)

    @property
    def items(self) -> int:
        return self.done + self.failed

    @property
    def seconds(self) -> float:
        """Since the command began."""
        return time.monotonic() - self._began

    @property
    def exit_code(self) -> Exit:
        """OK, PARTIAL when some of several failed, else what all failures have in common."""
        if not self._failures:
            return Exit.OK
        if self.done:
            return Exit.PARTIAL
        first = self._failures[0]
        return first if all(code == first for code in self._failures) else Exit.FAILED

    def to_json(self) -> dict[str, Any]:
        return {
            "command": self.command,
            "done": self.done,
            "skipped": self.skipped,
            "failed": self.failed,
            "bytes": self.bytes,
            "seconds": round(self.seconds, 3),
            "exit_code": int(self.exit_code),
        }
