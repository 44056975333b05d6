"""What the routes need, handed in by the wiring."""

from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from penstock.access import Access
from penstock.access.shares import Shares
from penstock.archives import KeptPlans, Planner, Sources
from penstock.archives.in_store import Archives
from penstock.catalog import GroupCommit, Selections
from penstock.hooks import Courier
from penstock.jobs import Jobs, Worker
from penstock.pulls import Pulls
from penstock.remote import Remote
from penstock.server.serving import Traffic
from penstock.settings import Settings
from penstock.stores.interface import Assures, LocalFiles, Store
from penstock.threads import in_thread
from penstock.uploads import Uploads

if TYPE_CHECKING:
    from penstock.cluster.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Services:
    """The concrete store, catalog and settings behind one application."""

    settings: Settings
    store: Store
    remote: Remote
    selections: Selections
    uploads: Uploads
    commits: GroupCommit
    jobs: Jobs
    worker: Worker
    pulls: Pulls
    archives: Archives
    access: Access
    shares: Shares
    planner: Planner = field(init=False)
    sources: Sources = field(init=False)
    kept_plans: KeptPlans = field(default_factory=KeptPlans)
    traffic: Traffic = field(init=False)
    local_files: LocalFiles | None = field(init=False)
    """The store again if it can open files, which a request should not have to find out."""
    assures: Assures | None = field(init=False)
    """Likewise if it knows beforehand what can be had."""
    courier: Courier | None = None
    """Delivers webhooks while the application runs, if anybody is to be told."""
    cluster: "Cluster | None" = None
    """The store again if it is one over storage nodes, and what else there is of it."""

    async def close(self) -> None:
        """Free the store, then the catalog it records in."""
        await self.uploads.close()
        await self.remote.close()
        if self.cluster is not None:
            await self.cluster.close()
        await in_thread(self.sources.close)
        await self.store.close()
        await self.commits.close()
        await in_thread(self.selections.close)

    def __post_init__(self) -> None:
        settings = self.settings
        planner = Planner(
            self.store,
            self.remote,
            most=settings.max_zip_entries,
            most_urls=settings.max_zip_urls,
            read_first=settings.zip_read_first,
            probes=settings.remote_probes,
        )
        sources = Sources(
            self.store,
            self.remote,
            connections=settings.remote_connections,
            budget=settings.remote_lookahead,
        )
        object.__setattr__(self, "planner", planner)
        object.__setattr__(self, "sources", sources)
        object.__setattr__(self, "traffic", Traffic(settings.max_transfers))
        local = self.store if isinstance(self.store, LocalFiles) else None
        object.__setattr__(self, "local_files", local)
        assures = self.store if isinstance(self.store, Assures) else None
        object.__setattr__(self, "assures", assures)


SERVICES = web.AppKey("services", Services)


def services_of(request: web.Request) -> Services:
    """The services of the application that handles ``request``."""
    return request.app[SERVICES]


def cpu_of(request: web.Request) -> Executor:
    """The threads for work that only takes the processor, such as compressing."""
    return services_of(request).sources.deflating
