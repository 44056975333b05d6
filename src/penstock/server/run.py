"""Listening, and leaving well: stop accepting, finish what is in flight, exit."""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web

from penstock.errors import CannotListen
from penstock.server.logs import note
from penstock.server.serving import SERVING, Traffic
from penstock.server.signals import ignore_signals, received_signals, waking_signals

_LONGEST_LINE = 64 << 10


async def run_server(app: web.Application, started: Callable[[str], None]) -> None:
    """Serve until a signal; ``started`` is told the URL once connections are accepted.

    On SIGTERM, SIGINT or SIGHUP the listening socket is closed, transfers in flight may take the
    shutdown timeout to finish, then what is left is cut. A second signal cuts at once.
    """
    runner = make_runner(app)
    await runner.setup()
    with waking_signals():
        await _serve(app, runner, started)
        ignore_signals()


async def _serve(
    app: web.Application, runner: web.AppRunner, started: Callable[[str], None]
) -> None:
    settings, traffic = app[SERVING].settings, app[SERVING].traffic
    stop = received_signals()
    site = web.TCPSite(runner, settings.host, settings.port, backlog=1024)
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise CannotListen(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}; "
            "choose another with --host and --port"
        ) from error
    started(_url(settings.host, runner))
    await stop.get()
    note("stopping", transfers=traffic.in_flight)
    traffic.drain()
    await site.stop()
    await _drain(traffic, stop, settings.shutdown_timeout)
    await runner.cleanup()
    note("stopped")


def make_runner(app: web.Application) -> web.AppRunner:
    """The runner with the server's limits, not yet set up."""
    return web.AppRunner(
        app,
        access_log=None,
        # A client that leaves ends its handler, which frees whatever the transfer held.
        handler_cancellation=True,
        # The same limit bounds a request head that dribbles in and an idle connection.
        keepalive_timeout=app[SERVING].settings.idle_timeout,
        auto_decompress=False,
        # Keys and prefixes of a ZIP may stand in the URL.
        max_line_size=_LONGEST_LINE,
        shutdown_timeout=1.0,
    )


async def _drain(traffic: Traffic, again: "asyncio.Queue[int]", timeout: float) -> None:
    """Wait until nothing is in flight, another signal comes, or the time is up."""
    waits = [asyncio.ensure_future(traffic.idle.wait()), asyncio.ensure_future(again.get())]
    await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if traffic.in_flight:
        note("transfers cut", level=logging.WARNING, transfers=traffic.in_flight)


def _url(host: str, runner: web.AppRunner) -> str:
    port = runner.addresses[0][1]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
