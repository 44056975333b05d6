"""Listening, and leaving well: stop accepting, finish what is in flight, exit."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence

from aiohttp import web

from penstock.errors import CannotListen
from penstock.logs import note
from penstock.server.malformed import connections_logger
from penstock.server.serving import SERVING, Limits, Traffic
from penstock.server.signals import ignore_signals, received_signals, waking_signals
from penstock.systemd import Notices

_LONGEST_LINE = 64 << 10
_LONGEST_LINGER = 10.0
_QUEUE = 1024
_LINGER = 1.0
"""Seconds that idle connections are kept when the server ends, for the request that may come."""


async def run_server(
    app: web.Application,
    started: Callable[[str], None],
    handed: Sequence[socket.socket] = (),
) -> None:
    """Serve until a signal; ``started`` is told the URL once connections are accepted.

    ``handed`` are listening sockets to be used instead of one of our own. A service manager is told
    when it serves and when it ends.

    On SIGTERM, SIGINT or SIGHUP the listening socket is closed, transfers in flight may take the
    shutdown timeout to finish, then what is left is cut. A second signal cuts at once.
    """
    runner = make_runner(app)
    await runner.setup()
    with waking_signals():
        async with Notices.opened() as notices:
            await _serve(app, runner, started, handed, notices)
        ignore_signals()


async def _serve(
    app: web.Application,
    runner: web.AppRunner,
    started: Callable[[str], None],
    handed: Sequence[socket.socket],
    notices: Notices,
) -> None:
    settings, traffic = app[SERVING].settings, app[SERVING].traffic
    stop = received_signals()
    sites = await _listen(runner, settings, handed)
    url = _url(settings.host, runner)
    started(url)
    await notices.ready(f"serves {url}")
    await stop.get()
    note("stopping", transfers=traffic.in_flight)
    await notices.stopping()
    traffic.drain()
    for site in sites:
        await site.stop()
    await _drain(runner, traffic, stop, settings.shutdown_timeout)
    await runner.cleanup()
    note("stopped")


async def _listen(
    runner: web.AppRunner, settings: Limits, handed: Sequence[socket.socket]
) -> list[web.BaseSite]:
    sites: list[web.BaseSite] = [web.SockSite(runner, one, backlog=_QUEUE) for one in handed]
    if not sites:
        sites = [web.TCPSite(runner, settings.host, settings.port, backlog=_QUEUE)]
    try:
        for site in sites:
            await site.start()
    except OSError as error:
        await runner.cleanup()
        raise CannotListen(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}; "
            "choose another with --host and --port"
        ) from error
    return sites


def make_runner(app: web.Application) -> web.AppRunner:
    """The runner with the server's limits, not yet set up."""
    return web.AppRunner(
        app,
        access_log=None,
        logger=connections_logger(),
        # A client that leaves ends its handler, which frees whatever the transfer held.
        handler_cancellation=True,
        # The same limit bounds a request head that dribbles in and an idle connection.
        keepalive_timeout=app[SERVING].settings.idle_timeout,
        # Who is answered before the body is over may send that much longer.
        lingering_time=min(_LONGEST_LINGER, app[SERVING].settings.stall_timeout),
        auto_decompress=False,
        # Keys and prefixes of a ZIP may stand in the URL.
        max_line_size=_LONGEST_LINE,
        shutdown_timeout=1.0,
    )


async def _drain(
    runner: web.AppRunner, traffic: Traffic, again: "asyncio.Queue[int]", timeout: float
) -> None:
    """Wait until nothing is in flight, another signal comes, or the time is up."""
    waits = [asyncio.ensure_future(_quiet(runner, traffic)), asyncio.ensure_future(again.get())]
    await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if traffic.in_flight:
        note("transfers cut", level=logging.WARNING, transfers=traffic.in_flight)


async def _quiet(runner: web.AppRunner, traffic: Traffic) -> None:
    """Nothing is in flight, and who has just connected or asks again and again had an answer.

    A kept connection that is closed as the next request comes fails that request.
    """
    over = asyncio.get_running_loop().time() + _LINGER
    while runner.server is not None and runner.server.connections:
        if asyncio.get_running_loop().time() >= over:
            break
        await asyncio.sleep(_LINGER / 20)
    await traffic.idle.wait()


def _url(host: str, runner: web.AppRunner) -> str:
    name = runner.addresses[0]
    if isinstance(name, str):
        return f"unix:{name}"
    return f"http://{f'[{host}]' if ':' in host else host}:{name[1]}"
