"""What the routes of a relay need."""

import os
from dataclasses import dataclass

from aiohttp import web

from penstock.relay.bringing import Bringing
from penstock.relay.cache import Cache
from penstock.relay.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Relay:
    """The upstream, what is kept of it, what is brought into the folder, and its lock."""

    upstream: Upstream
    cache: Cache
    bringing: Bringing
    lock: int

    async def close(self) -> int:
        """Save how far everything is; answers how many files are incomplete."""
        try:
            return await self.cache.close() + await self.bringing.close()
        finally:
            await self.upstream.close()
            os.close(self.lock)


RELAY = web.AppKey("relay", Relay)
