"""The parts of a file that is to be put together, and what they will take."""

import hashlib
from collections.abc import Iterator, Sequence

from penstock.stores.composing import Blueprint, Usage
from penstock.stores.s3.abilities import Abilities
from penstock.stores.s3.compose.covering import Limits, Made, Piece, covering, leaves
from penstock.stores.s3.compose.using import usage_of
from penstock.stores.s3.shared import Shared
from penstock.threads import in_pool


def limits_of(shared: Shared, able: Abilities) -> Limits:
    """What the operator chose, and the server can do."""
    chosen = shared.options
    prices = chosen.price_put, chosen.price_get, chosen.price_out
    return Limits(chosen.part_size, chosen.max_parts, able.copy, *prices)


async def parts_of(shared: Shared, blueprint: Blueprint, limits: Limits) -> Sequence[Piece]:
    """The parts.

    :raises TooLarge: no object of so many parts can have that many bytes.
    """
    size, stretches = blueprint.size, blueprint.stretches()
    return await in_pool(shared.pool, covering, size, stretches, limits)


async def estimate(shared: Shared, blueprint: Blueprint) -> tuple[int, Usage]:
    """How many parts there would be, and what they would take: see :func:`usage_of`."""
    parts = await parts_of(shared, blueprint, limits_of(shared, await shared.abilities()))
    usage = await in_pool(shared.pool, usage_of, parts, blueprint.stretches())
    return number_of(parts), usage


async def name_of(shared: Shared, parts: Sequence[Piece]) -> str:
    """Names these parts and no others, of the same bytes: another version of this program may make
    others of the same limits."""

    def name() -> str:
        digest = hashlib.sha256()
        for word in _words(parts):
            digest.update(word.encode())
        return digest.hexdigest()

    return await in_pool(shared.pool, name)


def _words(parts: Sequence[Piece]) -> Iterator[str]:
    for part in parts:
        yield f"{type(part).__name__} {part.start}-{part.stop};"
        if isinstance(part, Made):
            yield from _words(part.parts)


def number_of(parts: Sequence[Piece]) -> int:
    """How many they are, with those of temporary objects."""
    return sum(1 for _ in leaves(parts))
