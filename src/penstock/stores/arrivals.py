"""Ability of a store: a file arrives part by part, while it is still being uploaded."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from penstock.stores.interface import Checkpoint, Condition, Facts, FileInfo, Keep

Beside: TypeAlias = Callable[[int, int], bytes]
"""The bytes ``start`` to ``stop`` of a file that lies beside the store until it is stored.

It blocks, so it is called in worker threads, for a few MiB at a time.
"""


class Arrived(NamedTuple):
    """What an arrival became; ``replaced``: another file stood at the key before."""

    file: FileInfo
    replaced: bool


class Arrival(Protocol):
    """A file on its way into the store part by part, while it is still coming in beside it.

    Where the parts are cut is chosen when it begins and stays. Bytes are given that will never be
    others, so whoever sends a part, and however often, sends the same.
    """

    @property
    def kept(self) -> Checkpoint:
        """How far it is; empty before it began."""

    def part(self, number: int) -> tuple[int, int] | None:
        """Where the part ``number`` (from 1) starts and stops.

        ``None`` if it is not to be sent ahead of the end, and no later one either.
        """

    async def send(self, number: int, read: Beside, keep: Keep) -> None:
        """Have a part in the store; does nothing if it is there.

        The first one begins the arrival: what is to be known of that is kept before anything is
        sent. If it cannot be kept nothing is left.
        """

    async def finish(
        self, size: int, facts: Facts, read: Beside, condition: Condition, keep: Keep
    ) -> Arrived:
        """Send what is missing of ``size`` bytes, and store the whole.

        Made again after a crash, or when its answer was lost, it answers the file that was stored.

        :raises PreconditionFailed: ``condition`` does not hold, and the file is not this one.
        """

    async def renew(self) -> None:
        """Say that it will be gone on with, or after a while what was sent is removed."""

    async def forsake(self) -> None:
        """Remove what was sent: nobody goes on with it."""


@runtime_checkable
class Parts(Protocol):
    """Ability: files go into the store part by part ahead of their end, over many processes."""

    @property
    def renewal(self) -> float:
        """Seconds after which an arrival that goes on is to be renewed."""

    def arrival(
        self, key: str, size: int | None, content_type: str | None, kept: Checkpoint
    ) -> Arrival:
        """The arrival of a file, or what is ``kept`` of it by an earlier process.

        ``size`` is its bytes, ``None`` while nobody knows. A ``content_type`` of ``None`` is told
        by the first bytes, if they do.
        """
