"""What work on a store uses: requests, bytes on the way, and room in memory."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from penstock.stores.budget import Budget
from penstock.stores.composing import Usage

_LISTS: Final = frozenset({"list-type", "uploads", "uploadId"})
"""Parameters of a GET that lists: objects, uploads, parts. It is paid as PUT is."""

_running: ContextVar["tuple[Count, ...]"] = ContextVar("_running", default=())


class Count:
    """Implements :class:`penstock.stores.composing.Meter`."""

    def __init__(self) -> None:
        self._puts = self._gets = self._received = self._sent = 0
        self.memory_peak = 0

    @property
    def usage(self) -> Usage:
        return Usage(self._puts, self._gets, self._received, self._sent)

    def request(self, method: str, *, lists: bool) -> None:
        """One goes out, whatever becomes of it. To remove something is free."""
        if method in ("PUT", "POST") or lists:
            self._puts += 1
        elif method in ("GET", "HEAD"):
            self._gets += 1

    def received(self, size: int) -> None:
        """So many bytes of an object came."""
        self._received += size

    def sent(self, size: int) -> None:
        """So many bytes of an object, or of a part of one, went out."""
        self._sent += size

    def in_memory(self, size: int) -> None:
        """So many bytes wait in memory now."""
        self.memory_peak = max(self.memory_peak, size)


@contextmanager
def metered(budget: Budget) -> Iterator[Count]:
    """Count what the task, and those that are begun within, use."""
    count = Count()
    count.in_memory(budget.used)
    token = _running.set((*_running.get(), count))
    budget.watchers.append(count.in_memory)
    try:
        yield count
    finally:
        budget.watchers.remove(count.in_memory)
        _running.reset(token)


def meters() -> "tuple[Count, ...]":
    """Those that count what this task uses."""
    return _running.get()


def lists(method: str, parameters: frozenset[str]) -> bool:
    """Whether a request is for a list."""
    return method == "GET" and bool(_LISTS & parameters)


def counted(
    body: Callable[[], AsyncIterator[bytes | memoryview]], counts: "tuple[Count, ...]"
) -> AsyncIterator[bytes | memoryview]:
    """The pieces of a body, counted as they go out."""

    async def pieces() -> AsyncIterator[bytes | memoryview]:
        async for piece in body():
            for count in counts:
                count.sent(len(piece))
            yield piece

    return pieces() if counts else body()
