"""Listening, and leaving well: stop accepting, finish what is in flight, exit."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from aiohttp import web

from penstock.errors import CannotListen
from penstock.server.logs import note
from penstock.server.serving import SERVING, Traffic

_LONGEST_LINE = 64 << 10
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


async def run_server(app: web.Application, started: Callable[[str], None]) -> None:
    """Serve until a signal; ``started`` is told the URL once connections are accepted.

    On SIGTERM, SIGINT or SIGHUP the listening socket is closed, transfers in flight may take the
    shutdown timeout to finish, then what is left is cut. A second signal cuts at once.
    """
    runner = make_runner(app)
    await runner.setup()
    with _waking_signals():
        await _serve(app, runner, started)
        # A second signal in the last moments must not turn a clean end into a death by signal.
        for number in _stopping():
            signal.signal(number, signal.SIG_IGN)


async def _serve(
    app: web.Application, runner: web.AppRunner, started: Callable[[str], None]
) -> None:
    settings, traffic = app[SERVING].settings, app[SERVING].traffic
    stop = _signals()
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


def _signals() -> "asyncio.Queue[int]":
    """A queue that receives the signals that end the server."""
    received: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def receive(number: int, _frame: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: we are all but gone
            loop.call_soon_threadsafe(received.put_nowait, number)

    for number in _stopping():
        signal.signal(number, receive)
    return received


def _stopping() -> list[signal.Signals]:
    """The signals that end the server: not those that it was told to ignore, as nohup does."""
    return [number for number in _STOPPING if signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def _waking_signals() -> Iterator[None]:
    """Let signals wake the loop.

    Handlers run between bytecodes. A signal that comes just before the loop goes to sleep would
    wait for the next event, and on an idle server there is none.
    """
    loop = asyncio.get_running_loop()
    woken, wakes = socket.socketpair()
    with woken, wakes:
        woken.setblocking(False)
        wakes.setblocking(False)
        before = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        loop.add_reader(woken, woken.recv, 4096)
        try:
            yield
        finally:
            loop.remove_reader(woken)
            signal.set_wakeup_fd(before)


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
