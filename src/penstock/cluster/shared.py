"""What writers, readers and the upkeep of one cluster have in common."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from penstock.catalog.cluster.copies import Copies
from penstock.catalog.cluster.files import Files
from penstock.cluster.members import Members
from penstock.cluster.node_client import NodeClient
from penstock.cluster.options import ClusterOptions
from penstock.stores.budget import Budget
from penstock.stores.spool import Spool


@dataclass(frozen=True, slots=True)
class Shared:
    """``folder`` is where bytes wait that find no room in memory; ``sha256``: whether every file's
    SHA-256 is taken when it is written."""

    options: ClusterOptions
    members: Members
    client: NodeClient
    files: Files
    copies: Copies
    pool: ThreadPoolExecutor
    budget: Budget
    folder: str
    sha256: bool = True

    def spool(self) -> Spool:
        """An empty one."""
        return Spool(self.budget, self.folder, self.pool)
