"""What the routes of a storage node need."""

import os
from dataclasses import dataclass

from aiohttp import web

from penstock.node.belonging import Belonging
from penstock.node.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Node:
    """Who the node is, its files, the lock on its folder, and the cluster that it belongs to."""

    id: str
    shelf: Shelf
    lock: int
    belonging: Belonging

    async def close(self) -> None:
        """Free what it holds."""
        try:
            await self.shelf.close()
        finally:
            os.close(self.lock)


NODE = web.AppKey("node", Node)


def node_of(request: web.Request) -> Node:
    """The node whose application handles ``request``."""
    return request.app[NODE]
