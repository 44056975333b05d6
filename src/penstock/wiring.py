"""From settings to a running server: the only place that knows every concrete class."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

from penstock import __version__
from penstock.catalog import Selections, SqlChecksums, open_database, sqlite_url
from penstock.errors import Exit
from penstock.server import Services, build_app, run_server
from penstock.server.logs import note, set_up_logging
from penstock.settings import Settings
from penstock.stores import open_store


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
    return Services(settings, store, Selections(engine))


def _announce(url: str) -> None:
    note("listening", url=url, version=__version__)
    print(f"Penstock {__version__} is listening on {url}", file=sys.stdout, flush=True)  # noqa: T201
