"""From settings to a running server: the only place that knows every concrete class."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

from penstock import __version__
from penstock.catalog import Selections, SqlChecksums, open_database, sqlite_url
from penstock.errors import Exit
from penstock.remote import Remote, RemoteLimits
from penstock.server import Services, build_app, run_server
from penstock.server.logs import note, set_up_logging
from penstock.settings import Settings
from penstock.stores import open_store

_REMOTE_CONNECTIONS = 256
"""Of all ZIPs together; each takes a descriptor."""


def serve(settings: Settings) -> Exit:
    """Serve until a signal ends it; answers the exit code."""
    set_up_logging(settings)
    asyncio.run(_serve(settings))
    return Exit.OK


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
    )
    return Services(settings, store, open_remote(settings), Selections(engine))


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


def _announce(url: str) -> None:
    note("listening", url=url, version=__version__)
    print(f"Penstock {__version__} is listening on {url}", file=sys.stdout, flush=True)  # noqa: T201
