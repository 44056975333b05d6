"""What does the work, and how it says that it failed."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from penstock.errors import PenstockError
from penstock.jobs.job import Job
from penstock.jobs.run import Run

Handler: TypeAlias = Callable[[Run], Awaitable[Mapping[str, Any]]]
"""Does the work of a job and answers its result, as JSON has it.

Its task is cancelled when the job is, when the worker closes, and when the lease is lost. A
:class:`~penstock.errors.PenstockError` that is retryable means another attempt, any other that the
job failed; :class:`Again` and :class:`Final` say so whatever the error's class says.
"""

Cleanup: TypeAlias = Callable[[Job], Awaitable[None]]
"""Removes what a cancelled job has left; may be called again after a crash. The handler has ended
by then; if the job waited for another attempt, it was never called in this process."""


class Final(Exception):
    """Raised by a handler: another attempt would fail as well."""

    def __init__(self, error: PenstockError) -> None:
        super().__init__(error.detail)
        self.error = error


class Again(Exception):
    """Raised by a handler: another attempt may succeed, but not before ``after`` seconds."""

    def __init__(self, error: PenstockError, after: float = 0.0) -> None:
        super().__init__(error.detail)
        self.error = error
        self.after = after
