"""Guessing a password is made slow: whoever was wrong too often waits for the next try."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from time import monotonic

from penstock.errors import TooManyAttempts

_FREE = 4
"""Wrong tries without a pause, for who mistypes."""
_LONGEST_PAUSE = 8.0
_LONGEST_WAIT = 12.0
_MOST_SOURCES = 1024
"""Beyond these the one that tried longest ago is forgotten."""


@dataclass(slots=True)
class _Source:
    wrong: int = 0
    next_try: float = 0.0

    @property
    def pause(self) -> float:
        """Seconds that the next try keeps others away."""
        if self.wrong < _FREE:
            return 0.0
        return float(min(_LONGEST_PAUSE, 2 ** min(self.wrong - _FREE, 8)))


class Guessing:
    """The wrong tries of each source: an IPv4 address, or a /64 of IPv6, which one host may have.

    A right try waits like a wrong one, or an answer at once would tell that it is right.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._sources: OrderedDict[str, _Source] = OrderedDict()

    async def wait(self, address: str) -> None:
        """Wait until it is this try's turn.

        :raises TooManyAttempts: there are too many before it.
        """
        source = self._sources.get(_source_of(address))
        if source is None:
            return
        now = self._clock()
        turn = max(now, source.next_try)
        if turn - now > _LONGEST_WAIT:
            raise TooManyAttempts(
                "too many wrong passwords came from this address; wait before the next try",
                retry_after=round(turn - now),
            )
        source.next_try = turn + source.pause
        if turn > now:
            await asyncio.sleep(turn - now)

    def was_wrong(self, address: str) -> None:
        """Count a wrong try."""
        name = _source_of(address)
        source = self._sources.setdefault(name, _Source())
        self._sources.move_to_end(name)
        source.wrong += 1
        source.next_try = max(source.next_try, self._clock() + source.pause)
        while len(self._sources) > _MOST_SOURCES:
            self._sources.popitem(last=False)

    def was_right(self, address: str) -> None:
        """Forget the wrong tries of a source."""
        self._sources.pop(_source_of(address), None)


def _source_of(address: str) -> str:
    try:
        ip = ip_address(address)
    except ValueError:  # no TCP, so no address: all are one
        return address
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or IPv6Network((int(ip), 64), strict=False))
    return str(ip)
