"""Removing what a composition leaves."""

from penstock.stores.interface import Checkpoint
from penstock.stores.s3.compose.keeping import Kept
from penstock.stores.s3.shared import Shared


async def forsake(shared: Shared, key: str, kept: Checkpoint) -> None:
    """Leave nothing of a composition that nobody goes on with; what it has stored stays.

    Raises :class:`Refused` and :class:`Broken` as :meth:`Client.call` does.
    """
    left = Kept.of(kept)
    if left is not None:
        await remove(shared, shared.name_of(key), left)


async def remove(shared: Shared, name: str, left: Kept) -> None:
    """Abort the upload of the object ``name``, and :func:`clear`. Raises likewise."""
    if left.upload:
        await shared.calls.abort(name, left.upload)
    else:
        await shared.orphans.abort_unknown(name)
    await clear(shared, left)


async def clear(shared: Shared, left: Kept) -> None:
    """Remove what goes with an upload that has ended. Raises likewise."""
    if left.nested:
        await shared.orphans.clear(shared.orphans.made(left.token))
    await shared.orphans.forget(left.note)
