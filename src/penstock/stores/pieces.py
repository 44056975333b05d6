"""Reading a stored file so that nothing of the reading is left when its reader leaves."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def closing(pieces: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """What :meth:`penstock.stores.interface.Store.read` gives; ended at the end of the block.

    Else its connections would stay until the garbage is collected.
    """
    try:
        yield pieces
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
