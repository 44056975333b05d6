"""How a transfer tells how far it has come."""

from typing import Protocol


class Progress(Protocol):
    """Called with the bytes that are done and how many there are in all, if that is known.

    ``done`` starts above 0 when a transfer is resumed, and falls when it must start again.
    """

    def __call__(self, done: int, total: int | None) -> None: ...


def no_progress(done: int, total: int | None) -> None:
    """Progress nobody looks at."""
