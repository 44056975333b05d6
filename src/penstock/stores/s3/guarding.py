"""Conditions on what a write replaces or a delete removes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from penstock.errors import PreconditionFailed
from penstock.stores.interface import ALWAYS, Condition
from penstock.stores.local_writer import condition_text
from penstock.stores.s3.shared import Shared
from penstock.stores.s3.trouble import Refused

_ABSENT: Final = {"If-None-Match": "*"}


async def guarded(
    shared: Shared, key: str, condition: Condition, *, multipart: bool
) -> dict[str, str]:
    """Hold ``condition`` against what is stored; answers fields that hold the server to it.

    Without fields the server cannot: then only the turn of the key stands between the check and
    the write, which other processes do not know of.

    :raises PreconditionFailed: the condition does not hold now.
    """
    if condition == ALWAYS:
        return {}
    current = await current_etag(shared, key)
    if not condition.allows(current):
        raise PreconditionFailed(condition_text(key, condition), key=key)
    able = await shared.abilities()
    if current is None:
        obeys = able.complete_if_absent if multipart else able.put_if_absent
        return dict(_ABSENT) if obeys else {}
    obeys = able.complete_if_match if multipart else able.put_if_match
    return {"If-Match": f'"{current}"'} if obeys else {}


async def current_etag(shared: Shared, key: str) -> str | None:
    """The ETag of what is stored at ``key``; ``None`` if nothing is."""
    try:
        return (await shared.calls.head(shared.name_of(key))).etag
    except Refused as error:
        if error.absent:
            return None
        raise


@asynccontextmanager
async def turn(shared: Shared, key: str, condition: Condition) -> AsyncIterator[None]:
    """The key's turn, if there is a condition."""
    if condition == ALWAYS:
        yield
        return
    async with shared.turns.at(key):
        yield
