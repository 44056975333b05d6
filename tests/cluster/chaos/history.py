"""What may be at a key, as far as the answers so far allow to tell.

A change that was acknowledged has happened. One that was refused, or whose connection broke, may
have happened or not. A read may find whatever may have been there while it went on.
"""

import random
from dataclasses import dataclass, field

NOTHING = b"\0nothing"
"""Stands for the absence of a file; no content begins like it."""


@dataclass
class Key:
    """One key, changed by one task only; ``states`` tells what may be there from when on."""

    name: str
    states: list[frozenset[bytes]] = field(default_factory=lambda: [frozenset({NOTHING})])

    @property
    def now(self) -> frozenset[bytes]:
        return self.states[-1]

    @property
    def mark(self) -> int:
        """The moment, for :meth:`since`."""
        return len(self.states) - 1

    def since(self, mark: int) -> frozenset[bytes]:
        """What may have been there at any time since that moment."""
        return frozenset().union(*self.states[mark:])

    def begins(self, content: bytes) -> None:
        """A change to this content is asked for."""
        self.states.append(self.now | {content})

    def happened(self, content: bytes) -> None:
        """It was acknowledged."""
        self.states.append(frozenset({content}))


def content(chance: random.Random) -> bytes:
    """Random bytes of some length: often small, sometimes of many parts."""
    kind = chance.random()
    if kind < 0.1:
        return b""
    if kind < 0.4:
        return b"\1" + chance.randbytes(chance.randrange(1, 60_000))
    if kind < 0.9:
        return b"\1" + chance.randbytes(chance.randrange(60_000, 3_000_000))
    return b"\1" + chance.randbytes(chance.randrange(8_500_000, 12_000_000))
