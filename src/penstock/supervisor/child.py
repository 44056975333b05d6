"""One worker process: how it is started, what it says, when it ends."""

import asyncio
import fcntl
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock.systemd.sockets import FIRST

_LONGEST = 64 << 10
"""Bytes of a line that are gathered before they are passed on."""


class Child:
    """A worker that runs; ``say`` is told each line that it prints.

    ``heard`` is when it last gave a sign of life; ``ended`` becomes its exit code, which is
    negative if a signal ended it.
    """

    def __init__(
        self,
        slot: int,
        command: tuple[str, ...],
        environment: Mapping[str, str],
        sockets: Sequence[socket.socket],
        say: Callable[[str], None],
    ) -> None:
        """:raises OSError: it cannot be started."""
        self.slot = slot
        self.ready = asyncio.Event()
        self.began = self.heard = time.monotonic()
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        speech, spoken = os.pipe2(os.O_CLOEXEC)
        try:
            self.pid = _spawn(command, environment, sockets, spoken)
            self._process = _opened(self.pid)
        except OSError:
            os.close(speech)
            raise
        finally:
            os.close(spoken)
        _Lines(speech, say)
        asyncio.get_running_loop().add_reader(self._process, self._reap)

    @property
    def age(self) -> float:
        """Seconds since its start."""
        return time.monotonic() - self.began

    def signal(self, number: signal.Signals) -> None:
        """Nothing happens if it has ended."""
        if not self.ended.done():
            signal.pidfd_send_signal(self._process, number)

    async def is_ready(self) -> bool:
        """Wait until it is ready, or has ended before."""
        ready = asyncio.create_task(self.ready.wait())
        waits: list[asyncio.Future[Any]] = [ready, self.ended]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        return not self.ended.done()

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process)
        os.close(self._process)
        _, status = os.waitpid(self.pid, 0)
        self.ended.set_result(os.waitstatus_to_exitcode(status))


class _Lines:
    """Passes on what comes out of a pipe, line by line, until its end."""

    def __init__(self, descriptor: int, say: Callable[[str], None]) -> None:
        self._descriptor, self._say = descriptor, say
        self._begun = b""
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _LONGEST)
        except BlockingIOError:
            return
        *whole, self._begun = (self._begun + data).split(b"\n")
        if not data or len(self._begun) > _LONGEST:
            whole, self._begun = [*whole, self._begun], b""
        for line in whole:
            if line:
                self._say(line.decode(errors="replace"))
        if not data:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)


def _spawn(
    command: tuple[str, ...],
    environment: Mapping[str, str],
    sockets: Sequence[socket.socket],
    output: int,
) -> int:
    """Start a process in a session of its own: Ctrl-C in the terminal is for the supervisor."""
    beyond = FIRST + len(sockets)
    # Above where they are to be, so that none is written over before it is moved.
    moving = [fcntl.fcntl(one.fileno(), fcntl.F_DUPFD_CLOEXEC, beyond) for one in sockets]
    moving.append(fcntl.fcntl(output, fcntl.F_DUPFD_CLOEXEC, beyond))
    try:
        return os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, moving[-1], 1),
                *(
                    (os.POSIX_SPAWN_DUP2, moved, FIRST + number)
                    for number, moved in enumerate(moving[:-1])
                ),
            ],
            setsid=True,
        )
    finally:
        for moved in moving:
            os.close(moved)


def _opened(pid: int) -> int:
    """A descriptor of a child. Without one its end would not be seen, so it is ended then.

    :raises OSError: there are too many descriptors.
    """
    try:
        return os.pidfd_open(pid)
    except OSError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
