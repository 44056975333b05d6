"""What a caller is to be sent, of what is kept and what the upstream told (RFC 9111 §4)."""

import time
from dataclasses import dataclass
from typing import Protocol

from penstock.errors import PenstockError
from penstock.relay.freshness import Wish, initial_age, lifetime, may_be_stale, may_be_stored
from penstock.relay.told import Told
from penstock.relay.upstream import is_silent, passed_on
from penstock.server.wire import Wire


class Held(Protocol):
    """One version of a file, whole or still coming.

    ``checked`` is when the upstream last said that it is its file, in seconds since 1970; ``how``
    is for ``Cache-Status``.
    """

    told: Told
    how: str

    @property
    def checked(self) -> float: ...

    async def ready(self) -> None:
        """Wait until it is sure to come; raises PenstockError if it does not."""

    async def send(self, wire: Wire, start: int, stop: int) -> None:
        """Send the bytes ``start`` to ``stop``."""


@dataclass(slots=True)
class Answer:
    """What the upstream told, or why it did not, and when (monotonic).

    ``crowded``: there turned out to be no room for the file, or it cannot be fetched as told.
    """

    at: float
    told: Told | None
    error: PenstockError | None
    crowded: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a caller is to be sent; without ``held`` nothing is kept of it.

    ``how`` is for ``Cache-Status`` (RFC 9211 §2). ``age`` is how old the answer is in seconds,
    ``None`` if the upstream was asked for this caller. ``chosen_by`` are fields of the caller
    that the upstream must see.
    """

    told: Told
    held: Held | None
    how: str
    age: int | None = None
    chosen_by: tuple[str, ...] = ()


def decide(
    held: Held | None,
    answer: Answer | None,
    arrived: float,
    wish: Wish,
    max_age: float,
    *,
    content: bool,
) -> Found | None:
    """What to send to a caller who arrived at a time (monotonic); ``None``: not known yet.

    ``held`` is what is kept, ``answer`` the last of the upstream, which counts if it came after
    the caller: until then it was being asked on behalf of both. What nobody asked about may be
    ``max_age`` seconds old. Without ``content`` the caller wants the head only.

    :raises PenstockError: the upstream's error.
    """
    found = _decide(held, answer, arrived, wish.within(max_age), content=content)
    told = found.told if found is not None else _latest(answer, arrived)
    if told is not None and (names := wish.chosen_by(told.headers)):
        return Found(told, None, "fwd=vary-miss", chosen_by=names)
    return found


def _decide(
    held: Held | None, answer: Answer | None, arrived: float, most: float, *, content: bool
) -> Found | None:
    if answer is None or answer.at < arrived:
        if held is None or _age(held) >= lifetime(held.told.headers, most, held.checked):
            return None
        return Found(held.told, held, held.how, int(_age(held)))
    if answer.told is None:
        assert answer.error is not None
        if held is None or not is_silent(answer.error) or not may_be_stale(held.told.headers):
            raise passed_on(answer.error)
        return Found(held.told, held, "hit; detail=unreachable", int(_age(held)))
    may = may_be_kept(answer.told)
    if may and held is not None and held.told.same(answer.told):
        return Found(held.told, held, held.how)
    if not content or answer.crowded or not may:
        return Found(answer.told, None, "fwd=bypass" if content else "fwd=miss")
    return None


def _latest(answer: Answer | None, arrived: float) -> Told | None:
    return None if answer is None or answer.at < arrived else answer.told


def may_be_kept(told: Told) -> bool:
    """Whether a file can be kept, and sent to others than the one who asked."""
    return (
        told.size is not None
        and told.has_validator
        and "Content-Encoding" not in told.headers
        and may_be_stored(told.headers)
    )


def _age(held: Held) -> float:
    return max(0.0, time.time() - held.checked) + initial_age(held.told.headers)
