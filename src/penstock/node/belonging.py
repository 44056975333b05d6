"""The cluster that a node belongs to."""

import asyncio
from uuid import UUID

from penstock.node import identity
from penstock.threads import in_thread, to_the_end


class Belonging:
    """To the cluster that took the node in first, for ever: the scrub of another one would remove
    all it has. ``cluster`` is empty before."""

    def __init__(self, folder: str) -> None:
        """Read it from the folder; blocks.

        :raises WrongState: the folder holds something else there.
        """
        self.cluster = identity.cluster(folder)
        self._folder = folder
        self._joining = asyncio.Lock()

    async def join(self, told: str) -> bool:
        """Belong to the cluster of that id, durably, unless there is one already, or it is no id;
        answers whether it is the first.

        :raises OSError: it cannot be kept.
        """
        try:
            cluster = str(UUID(told))
        except ValueError:
            return False
        async with self._joining:
            if self.cluster:
                return False
            await to_the_end(in_thread(identity.join, self._folder, cluster))
            self.cluster = cluster
            return True
