"""Nobody who asks to be let in waits for ever for a catalog that hangs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from penstock.errors import ServerUnavailable

_PATIENCE = 10.0
"""Seconds."""
_RETRY_AFTER = 2
"""Seconds."""


@asynccontextmanager
async def in_time() -> AsyncIterator[None]:
    """Within this the catalog is read.

    :raises ServerUnavailable: that takes too long.
    """
    try:
        async with asyncio.timeout(_PATIENCE):
            yield
    except TimeoutError:
        raise ServerUnavailable(
            "the catalog's database does not answer now; try again later",
            retry_after=_RETRY_AFTER,
        ) from None
