"""Conditions on what a write replaces or a delete removes."""

from collections.abc import Mapping
from typing import Final

from penstock.errors import PreconditionFailed
from penstock.stores.interface import ALWAYS, Condition
from penstock.stores.local_writer import condition_text
from penstock.stores.s3.shared import Shared
from penstock.stores.s3.trouble import Broken, Refused

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


async def delete(shared: Shared, name: str, fields: Mapping[str, str]) -> None:
    """DeleteObject, on the condition in ``fields``; again when it fails in passing.

    Raises :class:`Refused` and :class:`Broken` as :meth:`Client.call` does.
    """
    client, failures = shared.calls.client, 0
    while True:
        try:
            await shared.calls.once.delete(name, fields)
        except (Refused, Broken) as error:
            # What is gone at a later try, an earlier one removed: only its answer was lost.
            refused = isinstance(error, Refused) and error.status in (404, 412)
            if refused and failures and await _is_gone(shared, name):
                return
            failures += 1
            await client.pause(error, failures)
        else:
            client.retries.succeeded()
            return


async def _is_gone(shared: Shared, name: str) -> bool:
    try:
        await shared.calls.head(name)
    except Refused as error:
        if error.absent:
            return True
        raise
    return False
