"""Telling a service manager how this process is (sd_notify(3))."""

import asyncio
import os
import socket
import time
from typing import Final, Self

_PATIENCE: Final = 2.0
"""Seconds for it to take what it is told."""


class Notices:
    """Tells whoever started this process that it is ready, reloads, ends or lives.

    Nothing is told where nobody listens: without NOTIFY_SOCKET. While it is open WATCHDOG=1 is sent
    twice in the time after which the manager takes the process to hang (WATCHDOG_USEC), by the
    event loop: if that hangs, nothing is sent.

        async with Notices.opened() as notices:
            await notices.ready("http://127.0.0.1:8080")
    """

    def __init__(self, address: str = "", patience: float | None = None) -> None:
        self._socket = _connected(address) if address else None
        self._patience = patience
        self._living: asyncio.Task[None] | None = None

    @classmethod
    def opened(cls) -> Self:
        """As the environment says; no process that this one starts is meant by it."""
        address = os.environ.pop("NOTIFY_SOCKET", "")
        patience = watchdog_patience()
        for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
            os.environ.pop(name, None)
        return cls(address, patience)

    async def ready(self, status: str) -> None:
        """It serves; ``status`` is for people."""
        await self.tell("READY=1", f"STATUS={status}")

    async def reloading(self) -> None:
        """It reads its settings again; ``ready`` tells when that is over."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        await self.tell("RELOADING=1", f"MONOTONIC_USEC={now}")

    async def stopping(self) -> None:
        """It accepts nothing any more."""
        await self.tell("STOPPING=1")

    async def tell(self, *lines: str) -> None:
        """Send lines of the protocol; a manager that has left is none of our business, and one that
        does not listen is not waited for."""
        if self._socket is None:
            return
        said = "\n".join(lines).encode()
        try:
            async with asyncio.timeout(_PATIENCE):
                await asyncio.get_running_loop().sock_sendall(self._socket, said)
        except TimeoutError:
            return
        except OSError:
            self._socket.close()
            self._socket = None

    async def __aenter__(self) -> Self:
        if self._socket is not None and self._patience is not None:
            self._living = asyncio.create_task(self._live(self._patience / 2))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._living is not None:
            self._living.cancel()
            await asyncio.wait([self._living])
        if self._socket is not None:
            self._socket.close()

    async def _live(self, interval: float) -> None:
        while True:
            await self.tell("WATCHDOG=1")
            await asyncio.sleep(interval)


def watchdog_patience() -> float | None:
    """Seconds of silence after which this process is taken to hang (sd_watchdog_enabled(3))."""
    wanted = os.environ.get("WATCHDOG_USEC", "")
    meant = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(wanted) / 1e6 if wanted.isdecimal() and int(wanted) and meant else None


def _connected(address: str) -> socket.socket | None:
    """``None`` if nobody receives there."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    try:
        made.connect(_address(address))
    except OSError:
        made.close()
        return None
    return made


def _address(text: str) -> str | bytes:
    """A path, or a name without a file, which begins with @."""
    return b"\0" + os.fsencode(text[1:]) if text.startswith("@") else text
