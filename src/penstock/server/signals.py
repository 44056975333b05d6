"""The signals that end a process in good order."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def received_signals() -> "asyncio.Queue[int]":
    """A queue that receives the signals from now on."""
    received: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def receive(number: int, _frame: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: we are all but gone
            loop.call_soon_threadsafe(received.put_nowait, number)

    for number in _stopping():
        signal.signal(number, receive)
    return received


def ignore_signals() -> None:
    """A signal in the last moments must not turn a clean end into a death by signal."""
    for number in _stopping():
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def waking_signals() -> Iterator[None]:
    """Let signals wake the loop.

    Handlers run between bytecodes. A signal that comes just before the loop goes to sleep would
    wait for the next event, and in an idle process there is none.
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


def _stopping() -> list[signal.Signals]:
    """The signals that end the process: not those that it was told to ignore, as nohup does."""
    return [number for number in _STOPPING if signal.getsignal(number) != signal.SIG_IGN]
