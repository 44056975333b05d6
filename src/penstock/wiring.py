"""From settings to a running server: the only place that knows every concrete class."""

import asyncio
import resource
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from penstock import __version__
from penstock.catalog import (
    GroupCommit,
    Ledger,
    Outbox,
    Selections,
    SqlChecksums,
    open_database,
    sqlite_url,
)
from penstock.errors import Exit
from penstock.hooks import Courier, Receiver
from penstock.jobs import Jobs, Worker
from penstock.pulls import KIND as PULL
from penstock.pulls import LANE as PULL_LANE
from penstock.pulls import Puller, Pulls
from penstock.remote import Remote, RemoteLimits
from penstock.server import Services, build_app, run_server
from penstock.server.logs import note, set_up_logging
from penstock.settings import Settings
from penstock.stores import Store, open_store
from penstock.stores.s3.options import S3Options
from penstock.uploads import Folder, UploadLimits, Uploads

if TYPE_CHECKING:
    from penstock import relay as relays

_REMOTE_CONNECTIONS = 256
"""Of all ZIPs together; each takes a descriptor."""


def serve(settings: Settings) -> Exit:
    """Serve until a signal ends it; answers the exit code."""
    set_up_logging(settings)
    _allow_descriptors()
    asyncio.run(_serve(settings))
    return Exit.OK


def _allow_descriptors() -> None:
    """Up to four for each transfer: as many as the operator lets us have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(settings: Settings) -> None:
    pool = ThreadPoolExecutor(settings.io_threads, "penstock-io")
    asyncio.get_running_loop().set_default_executor(pool)
    services = open_services(settings)
    try:
        await run_server(build_app(services), _announce)
    finally:
        await services.close()


def open_services(settings: Settings) -> Services:
    """Open the store and the catalog that the settings name.

    :raises PenstockError: one of them cannot be opened; the text says why.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    engine = open_database(settings.catalog or sqlite_url(settings.data / "catalog.sqlite"))
    store = open_store(
        settings.store or (settings.data / "files").absolute().as_uri(),
        SqlChecksums(engine),
        threads=settings.io_threads,
        sha256=settings.sha256,
        s3=s3_options(settings),
        spool=settings.data / "spool",
    )
    commits = GroupCommit(engine)
    courier = open_courier(settings, Outbox(engine, commits))
    ledger = Ledger(engine, commits, courier.outbox.record if courier is not None else None)
    remote = open_remote(settings)
    uploads = open_uploads(settings, store, ledger)
    jobs = Jobs(engine, commits)
    return Services(
        settings,
        store,
        remote,
        Selections(engine),
        uploads,
        commits,
        jobs,
        open_worker(settings, jobs, Puller(remote, uploads)),
        Pulls(jobs, uploads, store),
        courier=courier,
    )


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


def open_worker(settings: Settings, jobs: Jobs, puller: Puller) -> Worker:
    """What does the work of this server's jobs."""
    return Worker(
        jobs,
        {PULL: puller},
        lanes={PULL_LANE: settings.pulls},
        cleanups={PULL: puller.clean_up},
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

    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(16, "penstock-io"))
    opened = await relays.open_relay(options)
    try:
        await run_server(relays.build_relay(options, opened), _announce)
    finally:
        if incomplete := await opened.close():
            _say(f"{incomplete} incomplete; start the relay again to go on with what came")


def _announce(url: str) -> None:
    note("listening", url=url, version=__version__)
    _say(f"Penstock {__version__} is listening on {url}")


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)  # noqa: T201
