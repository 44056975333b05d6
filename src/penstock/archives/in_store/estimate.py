"""What an archive would take: told before anything is begun."""

from dataclasses import dataclass
from typing import Final

from penstock.archives.in_store.archive import cost_of
from penstock.archives.in_store.blueprint import ZipBlueprint
from penstock.archives.in_store.folder import Folder
from penstock.archives.in_store.options import Prices
from penstock.archives.in_store.wish import Wish
from penstock.stores.composing import Composes, Usage
from penstock.stores.interface import Store
from penstock.threads import in_thread

# What is assumed of a store that nobody has measured.
_RATE: Final = 100 << 20
_ANSWERS_AFTER: Final = 0.05
_AT_ONCE: Final = 16
_LISTED: Final = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """``files`` and empty ``folders`` with ``bytes`` become an archive of ``size`` bytes, made in
    that ``lane``; of ``parts`` where the store puts it together, else 0. ``usage`` and
    ``cost`` (dollars) are the store's; ``seconds`` assumes 100 MiB/s, and 16 requests at once that
    take 50 ms each.
    """

    wish: Wish
    files: int
    folders: int
    bytes: int
    size: int
    lane: str
    parts: int
    usage: Usage
    seconds: float
    cost: float


async def estimate(store: Store, wish: Wish, folder: Folder, lane: str, prices: Prices) -> Estimate:
    """What the archive of a folder that was just listed would take."""
    blueprint = ZipBlueprint(store, folder)
    parts, usage = 0, Usage(received=folder.bytes, sent=blueprint.size)
    if isinstance(store, Composes):
        parts, usage = await store.estimate(blueprint)
        usage = usage.plus(await in_thread(_around, folder, store.copied_from))
    moved = max(usage.received, usage.sent) / _RATE
    asked = (usage.puts + usage.gets) * _ANSWERS_AFTER / _AT_ONCE
    return Estimate(
        wish=wish,
        files=folder.files,
        folders=folder.folders,
        bytes=folder.bytes,
        size=blueprint.size,
        lane=lane,
        parts=parts,
        usage=usage,
        seconds=max(moved, asked),
        cost=cost_of(usage, prices),
    )


def _around(folder: Folder, copied_from: int) -> Usage:
    """What is used beside the composition: listing, asking about what is copied, and reading what
    is not."""
    lists = -(-len(folder.plan) // _LISTED)
    gets = received = 0
    for i in range(len(folder.plan)):
        size = folder.size(i)
        if size >= copied_from:
            gets += not folder.known[i]
        elif size:
            gets += 1
            received += size
    return Usage(puts=lists, gets=gets, received=received)
