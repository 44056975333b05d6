"""What can be refused before the bytes of a write are sent."""

from penstock.errors import NotFound, PreconditionFailed
from penstock.stores.interface import Admits, Condition, Store


async def check_admitted(store: Store, size: int | None) -> None:
    """Refuse a write that the store could not take now, if it knows. Raises as it does."""
    if isinstance(store, Admits):
        await store.admit(size)


async def check_early(store: Store, key: str, condition: Condition) -> bool:
    """Whether a file stands at the key; refuses a write that is hopeless already.

    The commit checks again: only there is the answer certain.

    :raises PreconditionFailed: ``condition`` does not hold.
    """
    try:
        current = (await store.stat(key)).etag
    except NotFound:
        current = None
    if not condition.allows(current):
        raise PreconditionFailed(
            f"{key!r} exists already" if condition.absent else f"{key!r} is another version",
            key=key,
        )
    return current is not None
