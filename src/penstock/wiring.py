"""From settings to a running server: the only place that knows every concrete class."""

import asyncio
import resource
import socket
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from penstock import __version__
from penstock.access import Access
from penstock.access.shares import BEARER as SHARE
from penstock.access.shares import Shares
from penstock.archives import in_store
from penstock.archives.in_store import LARGE, SMALL, ArchiveOptions, Archiver, Archives, Prices
from penstock.catalog import (
    GroupCommit,
    Ledger,
    Outbox,
    Selections,
    SqlChecksums,
    open_database,
    sqlite_url,
)
from penstock.catalog.access.shares import SqlShares
from penstock.catalog.away import told_when_away
from penstock.catalog.hanging import bounded
from penstock.catalog.looking import look_at, shown
from penstock.cluster import ClusterOptions, NodeState, check_secret, is_loopback
from penstock.errors import BadRequest, Exit, NotFound
from penstock.guarding import FirstToken, access_is_on, open_access_of, warn_if_open
from penstock.hooks import Courier, Receiver
from penstock.jobs import Jobs, Worker
from penstock.logs import note, set_up_logging
from penstock.pulls import KIND as PULL
from penstock.pulls import LANE as PULL_LANE
from penstock.pulls import Puller, Pulls
from penstock.remote import Remote, RemoteLimits
from penstock.server import Services, build_app, run_server, run_worker
from penstock.server.access.password import told_login
from penstock.server.serving import SERVING
from penstock.settings import Settings
from penstock.stores import Store, open_store
from penstock.stores.s3.options import S3Options
from penstock.systemd import handed_sockets, place
from penstock.threads import in_thread
from penstock.uploads import Folder, UploadLimits, Uploads

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from penstock import doctor
    from penstock import node as nodes
    from penstock import relay as relays
    from penstock.cluster.cluster import Cluster

_REMOTE_CONNECTIONS = 256
"""Of all ZIPs together; each takes a descriptor."""

_ENDING = 5
"""Seconds that a database may hang while a server ends."""


def serve(settings: Settings) -> Exit:
    """Serve until a signal ends it; answers the exit code.

    :raises BadRequest: the settings leave the jobs to nobody, or the cluster open to everybody.
    """
    if not settings.worker and settings.store.startswith("memory:"):
        raise BadRequest("a store in memory is seen by one process only: leave --no-worker out")
    handed = handed_sockets()
    settings = _where_handed(settings, handed)
    if _in_cluster(settings):
        check_secret(settings.cluster_secret.get_secret_value(), settings.host)
    here = place()
    set_up_logging(settings, **({} if here is None else {"worker": here.slot}))
    _allow_descriptors()
    asyncio.run(_serve(settings, handed))
    return Exit.OK


def work(settings: Settings) -> Exit:
    """Do jobs, without serving anything, until a signal ends it; answers the exit code.

    :raises BadRequest: the settings leave it nothing to do, or no way to do it.
    """
    settings = settings.model_copy(update={"worker": True})
    if settings.store.startswith("memory:"):
        raise BadRequest("a store in memory is seen by one process only: let the server do jobs")
    if not any(lanes_of(settings).values()):
        raise BadRequest("there is nothing to do: pulls, archives and archives_large are all 0")
    set_up_logging(settings)
    _allow_descriptors()
    asyncio.run(_work(settings))
    return Exit.OK


def _where_handed(settings: Settings, handed: Sequence[socket.socket]) -> Settings:
    """With the address of the sockets that were opened for us: one that others reach, if any is."""
    names = [one.getsockname() for one in handed if one.family != socket.AF_UNIX]
    if not names:
        return settings
    host, port = min(names, key=lambda name: is_loopback(name[0]))[:2]
    return settings.model_copy(update={"host": host, "port": port})


def _allow_descriptors() -> None:
    """Up to four for each transfer: as many as the operator lets us have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _use_threads(most: int) -> None:
    """What the running loop hands to threads has so many of them."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(most, "penstock-io"))


class _Ending(ExitStack):
    """Of a process: once it has begun no database that hangs is waited for."""

    def __init__(self, engine: "Engine") -> None:
        super().__init__()
        self._engine = engine
        self._begun = False

    def begin(self) -> None:
        if not self._begun:
            self._begun = True
            self.enter_context(bounded(self._engine, _ENDING))

    async def begin_with(self, _app: object) -> None:
        """As the application's shutdown calls it."""
        self.begin()


async def _serve(settings: Settings, handed: Sequence[socket.socket]) -> None:
    _use_threads(settings.io_threads)
    engine = _open_catalog(settings)
    services = open_services(settings, engine)
    with _Ending(engine) as ending:
        try:
            live = await _live_nodes(services.cluster)
            app = build_app(services)
            app.on_shutdown.insert(0, ending.begin_with)
            async with FirstToken(services.access) as first:
                announce = partial(_announce_server, settings, live, first)
                await run_server(app, announce, handed)
        finally:
            ending.begin()
            await _close(services)


async def _work(settings: Settings) -> None:
    _use_threads(settings.io_threads)
    engine = _open_catalog(settings)
    services = open_services(settings, engine)
    with _Ending(engine) as ending:
        try:
            announce = partial(_announce_worker, lanes_of(settings))
            await run_worker(services.worker, services.jobs, announce, ending.begin)
        finally:
            ending.begin()
            await _close(services)


async def _close(services: Services) -> None:
    """Free everything, and wait for what was begun in threads: a process does not end before."""
    await services.close()
    await asyncio.get_running_loop().shutdown_default_executor()


def _open_catalog(settings: Settings) -> "Engine":
    """:raises ServerUnavailable: the database is away."""
    settings.data.mkdir(parents=True, exist_ok=True)
    with told_when_away():
        return open_database(_catalog_url(settings))


def open_services(settings: Settings, engine: "Engine | None" = None) -> Services:
    """Open the store and the catalog that the settings name; ``engine`` is that of the catalog, if
    it is open.

    :raises PenstockError: one of them cannot be opened; the text says why.
    """
    engine = engine or _open_catalog(settings)
    commits = GroupCommit(engine)
    cluster = _open_cluster(settings, engine, commits) if _in_cluster(settings) else None
    store: Store = cluster.store if cluster is not None else _open_store(settings, engine)
    courier = open_courier(settings, Outbox(engine, commits))
    ledger = Ledger(engine, commits, courier.outbox.record if courier is not None else None)
    remote = open_remote(settings)
    uploads = open_uploads(settings, store, ledger)
    archiver = Archiver(store, uploads, archive_options(settings))
    lanes = lanes_of(settings)
    jobs = Jobs(engine, commits, lanes=lanes)
    access = open_access_of(settings, engine, commits)
    return Services(
        settings,
        store,
        remote,
        Selections(engine),
        uploads,
        commits,
        jobs,
        open_worker(jobs, Puller(remote, uploads), archiver, lanes if settings.worker else {}),
        Pulls(jobs, uploads, store),
        Archives(jobs, store, archiver),
        access,
        open_shares(engine, commits, access),
        courier=courier,
        cluster=cluster,
    )


def open_shares(engine: "Engine", commits: GroupCommit, access: Access) -> Shares:
    """The share links; those by which files are put are tokens too."""
    shares = Shares(SqlShares(engine, commits), partial(access.key, "shares"))
    access.recognise(SHARE, shares.grant_of)
    return shares


def _open_store(settings: Settings, engine: "Engine") -> Store:
    return open_store(
        _store_url(settings),
        SqlChecksums(engine),
        threads=settings.io_threads,
        sha256=settings.sha256,
        s3=s3_options(settings),
        spool=settings.data / "spool",
    )


def _in_cluster(settings: Settings) -> bool:
    """Whether the files are on storage nodes.

    :raises BadRequest: the URL of the store says more than that.
    """
    if not settings.store.startswith("cluster:"):
        return False
    if settings.store not in ("cluster:", "cluster://", "cluster:///"):
        raise BadRequest("nothing stands behind cluster://: storage nodes announce themselves")
    return True


def _open_cluster(settings: Settings, engine: "Engine", commits: GroupCommit) -> "Cluster":
    from penstock.cluster.cluster import open_cluster  # costs a start what only a cluster needs

    check_secret(settings.cluster_secret.get_secret_value(), "localhost")
    return open_cluster(
        engine,
        commits,
        cluster_options(settings),
        settings.data / "spool",
        settings.io_threads,
        settings.sha256,
    )


def cluster_options(settings: Settings) -> ClusterOptions:
    """How a cluster is to be used, if the files are in one."""
    return ClusterOptions(
        secret=settings.cluster_secret.get_secret_value(),
        replicas=settings.cluster_replicas,
        parts=settings.cluster_parts,
        part_size=settings.cluster_part_size,
        least_part=settings.cluster_least_part,
        min_nodes=settings.cluster_min_nodes,
        dead_after=settings.cluster_dead_after,
        grace=settings.cluster_grace,
        upkeep_rate=settings.cluster_upkeep_rate,
        scrub_every=settings.cluster_scrub_every,
        memory=settings.cluster_memory,
    )


async def _live_nodes(cluster: "Cluster | None") -> int:
    """How many storage nodes take parts, if there is a cluster."""
    nodes = [] if cluster is None else await cluster.members.all()
    return sum(node.state is NodeState.LIVE for node in nodes)


def _catalog_url(settings: Settings) -> str:
    return settings.catalog or sqlite_url(settings.data / "catalog.sqlite")


def _store_url(settings: Settings) -> str:
    return settings.store or (settings.data / "files").absolute().as_uri()


def s3_options(settings: Settings) -> S3Options:
    """How a store in S3 is to be used, if the files live in one."""
    return S3Options(
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value(),
        style=settings.s3_style,
        anonymous=settings.s3_anonymous,
        part_size=settings.s3_part_size,
        memory=settings.s3_memory,
        tries=settings.s3_tries,
        orphan_age=settings.s3_orphan_age,
        max_parts=settings.s3_max_parts,
        price_put=settings.s3_price_put,
        price_get=settings.s3_price_get,
        price_out=settings.s3_price_out,
        public_url=settings.s3_public_url,
    )


@asynccontextmanager
async def access_of_catalog(settings: Settings) -> AsyncIterator[Access]:
    """Who may do what, on the server's host and without the server.

    :raises NotFound: there is no catalog of this version yet.
    """
    url = _catalog_url(settings)
    standing = await in_thread(look_at, url)
    if standing.revision != standing.newest:
        raise NotFound(
            f"there is no catalog of this version of Penstock at {shown(url)}; start the server "
            "once, or say by --data or --catalog where it is"
        )
    engine = await in_thread(open_database, url)
    commits = GroupCommit(engine)
    # Whatever is asked of others, what is done here is noted in the audit log.
    settings = settings.model_copy(update={"access": "on"})
    try:
        yield open_access_of(settings, engine, commits)
    finally:
        await commits.close()
        await in_thread(engine.dispose)


def examination(
    settings: Settings, variables: Collection[str] = frozenset()
) -> "doctor.Examination":
    """A look over what the settings name; ``variables`` of the environment are options of commands
    that are no settings."""
    from penstock import doctor  # the server has no need of it

    store = _store_url(settings)
    return doctor.Examination(
        settings.data,
        store,
        _catalog_url(settings),
        partial(
            open_store,
            store,
            # What is stored is not looked at, so nothing of it is looked up.
            SqlChecksums(open_database("sqlite://")),
            # Who waits for the answer wants it soon.
            s3=replace(s3_options(settings), tries=2),
            spool=settings.data / "spool",
        ),
        cluster_options(settings) if _in_cluster(settings) else None,
        host=settings.host,
        access=access_is_on(settings),
        public_url=settings.public_url,
        max_transfers=settings.max_transfers,
        variables=variables,
    )


def open_uploads(settings: Settings, store: Store, ledger: Ledger) -> Uploads:
    """What takes in uploads that can be resumed."""
    limits = UploadLimits(
        max_uploads=settings.max_uploads,
        max_upload_bytes=settings.max_upload_bytes,
        max_size=settings.max_body,
        expiry=settings.upload_expiry,
    )
    return Uploads(
        store,
        ledger,
        Folder.at(settings.data / "uploads"),
        limits,
        threads=settings.io_threads,
        sha256=settings.sha256,
    )


def lanes_of(settings: Settings) -> dict[str, int]:
    """How many jobs of each lane a worker does at once."""
    return {
        PULL_LANE: settings.pulls,
        SMALL: settings.archives,
        LARGE: settings.archives_large,
    }


def open_worker(jobs: Jobs, puller: Puller, archiver: Archiver, lanes: Mapping[str, int]) -> Worker:
    """What does the work of jobs in this process: none of them if it has no lanes."""
    return Worker(
        jobs,
        {PULL: puller, in_store.KIND: archiver},
        lanes=lanes,
        cleanups={PULL: puller.clean_up, in_store.KIND: archiver.clean_up},
    )


def archive_options(settings: Settings) -> ArchiveOptions:
    """How folders are archived."""
    return ArchiveOptions(
        store=settings.store,
        threshold=settings.archive_threshold,
        exports=f"{folder}/" if (folder := settings.archive_prefix.strip("/")) else "",
        valid=settings.archive_valid,
        link=settings.archive_link,
        link_expiry=settings.archive_link_expiry,
        most=settings.max_zip_entries,
        prices=Prices(
            put=settings.s3_price_put, get=settings.s3_price_get, out=settings.s3_price_out
        ),
    )


def open_remote(settings: Settings) -> Remote:
    """What reads the files of other servers, within the bounds that the settings draw.

    :raises BadRequest: a setting of these is malformed; the text says which.
    """
    return Remote(
        RemoteLimits(
            allow=settings.remote_allow,
            ports=tuple(map(int, settings.remote_ports.split(","))),
            connections=_REMOTE_CONNECTIONS,
            connect_timeout=settings.remote_connect_timeout,
            answer_timeout=settings.remote_answer_timeout,
            stall_timeout=settings.remote_stall_timeout,
            tries=settings.remote_tries,
        )
    )


def open_courier(settings: Settings, outbox: Outbox) -> Courier | None:
    """What delivers webhooks; ``None`` if nobody is to be told.

    :raises BadRequest: the URL or the secret is malformed, or there is no secret.
    """
    if not settings.hooks_url:
        return None
    receiver = Receiver.of(settings.hooks_url, settings.hooks_secret.get_secret_value())
    return Courier(outbox, receiver)


def relay(options: "relays.Options") -> Exit:
    """Stand before another server until a signal ends it; answers the exit code."""
    set_up_logging(options)
    _allow_descriptors()
    asyncio.run(_relay(options))
    return Exit.OK


async def _relay(options: "relays.Options") -> None:
    from penstock import relay as relays  # the server has no need of it, nor of the client

    _use_threads(16)
    opened = await relays.open_relay(options)
    try:
        await run_server(relays.build_relay(options, opened), _announce)
    finally:
        if incomplete := await opened.close():
            _say(f"{incomplete} incomplete; start the relay again to go on with what came")


def node(options: "nodes.Options") -> Exit:
    """Keep parts of a cluster's files until a signal ends it; answers the exit code.

    :raises BadRequest: an option is none; the text says which.
    :raises Busy: another node works in the folder.
    """
    set_up_logging(options)
    _allow_descriptors()
    asyncio.run(_node(options))
    return Exit.OK


async def _node(options: "nodes.Options") -> None:
    from penstock import node as nodes  # the server has no need of it

    _use_threads(options.threads)
    opened = await nodes.open_node(options)
    try:
        app = nodes.build_node(options, opened)
        announcing = nodes.Announcing(options, opened, app[SERVING].traffic)
        try:
            await run_server(app, partial(_announce_node, opened.id, announcing))
        finally:
            await announcing.close()
    finally:
        await opened.close()


def _announce_node(identity: str, announcing: "nodes.Announcing", url: str) -> None:
    _announce(url)
    _say(f"Node {identity}")
    announcing.start(urlsplit(url).port or 0)


def _announce_server(settings: Settings, live_nodes: int, first: FirstToken, url: str) -> None:
    _announce(url)
    first.tell()
    warn_if_open(settings)
    if settings.store:  # which another program's variables may have named
        _say(f"Files are kept in {settings.store}")
    _say(f"Dashboard: {url}/dashboard, {told_login(settings)}")
    if _in_cluster(settings) and live_nodes < (needed := settings.cluster_min_nodes):
        note("waiting for nodes", live=live_nodes, needed=needed)
        _say(
            f"{live_nodes} of {needed} storage nodes are live: nothing is stored before they all "
            f"announced themselves to {url}"
        )


def _announce(url: str) -> None:
    note("listening", url=url, version=__version__)
    _say(f"Penstock {__version__} is listening on {url}")


def _announce_worker(lanes: Mapping[str, int]) -> None:
    served = ", ".join(f"{name} ({most})" for name, most in sorted(lanes.items()) if most)
    note("working", lanes=served, version=__version__)
    _say(f"Penstock {__version__} works on jobs of the lanes {served}")


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)  # noqa: T201
