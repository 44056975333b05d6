"""One file on its way from the upstream, sent to whoever wants it while it comes."""

import asyncio
import errno
import logging
import os
import time
from collections.abc import Awaitable, Callable
from functools import partial

from penstock.client.address import Address
from penstock.client.download import Download, Ranges
from penstock.errors import PenstockError, SourceChanged, StorageFull
from penstock.logs import note
from penstock.octets.digests import Digester
from penstock.relay.freshness import may_be_stored
from penstock.relay.told import Told
from penstock.relay.upstream import Upstream, passed_on
from penstock.server.wire import Wire
from penstock.threads import open_in_thread

Finish = Callable[["Fetch", Digester | None], Awaitable[None]]
"""Told once how a fetch ended: the digests of the whole file, or ``None`` if it did not come."""

_HELD_BACK = 64 << 10
"""Bytes at the end that who reads the whole is not sent before its digest has proven right."""


class Fetch:
    """Brings the version ``told`` of the file at ``path`` into the file ``target``.

    It goes on when all readers have left, so that the next one finds the file: a reader that
    seeks, or reads by ranges, leaves and comes again all the time. Readers hold it by :meth:`join`
    and :meth:`release`; what came stays readable for them after the end. ``is_lost``: it ended
    early. ``is_other``: the upstream sent another version than it had told of. ``is_kept``:
    whether the file stays when it has come, and others may be sent it.
    """

    def __init__(self, upstream: Upstream, path: str, target: str, told: Told) -> None:
        self.told = told
        self.how = "fwd=miss; stored"
        self.checked = time.time()
        self._upstream = upstream
        self._path = path
        self._target = target
        self._readers = 0
        self._joined = False
        loop = asyncio.get_running_loop()
        self._began: asyncio.Future[None] = loop.create_future()
        self._whole: asyncio.Future[None] = loop.create_future()
        self._over = False
        self._ended = False
        self.is_lost = False
        self.is_other = False
        self.is_kept = True
        self._download: Download | None = None
        self._fd = -1
        self._task: asyncio.Task[None] | None = None

    def start(self, slots: asyncio.Semaphore, ranges: Ranges, finish: Finish) -> None:
        """Begin, as soon as one of ``slots`` is free."""
        self._task = asyncio.create_task(self._go(slots, ranges, finish))

    async def stop(self) -> None:
        """Break off: what came stays for a later fetch, readers are told."""
        if self._task is not None:
            if not self._over:  # else it only has to put things in order
                self._task.cancel()
            await asyncio.wait([self._task])

    def join(self) -> None:
        if self._joined:
            self.how = "fwd=miss; collapsed"
        self._joined = True
        self._readers += 1

    def release(self) -> None:
        self._readers -= 1
        self._let_go()

    async def ready(self) -> None:
        """Wait until the upstream has begun to answer.

        :raises PenstockError: it answered an error.
        :raises SourceChanged: the rest does not come, or another version: another fetch may help.
        """
        await asyncio.shield(self._began)
        if self.is_lost:
            raise SourceChanged("the fetch of this file ended early; ask again")

    async def send(self, wire: Wire, start: int, stop: int) -> None:
        """Send the bytes ``start`` to ``stop``, each as soon as it is there.

        :raises PenstockError: they do not come, or are those of another version by now.
        """
        await self.ready()
        proven = stop - _HELD_BACK if self._can_be_proven(start, stop) else stop
        while start < stop:
            there = await self._wait(start, proven)
            await wire.send_file(self._fd, start, there)
            start = there

    def _can_be_proven(self, start: int, stop: int) -> bool:
        return self.told.sha256 is not None and (start, stop) == (0, self.told.size)

    async def _wait(self, at: int, stop: int) -> int:
        """Up to where the bytes from ``at`` to ``stop`` are there; from ``stop`` on, all."""
        assert self._download is not None
        assert self.told.size is not None
        try:
            if at < stop:
                return min(await self._download.wait(at), stop)
            await asyncio.shield(self._whole)
            return self.told.size
        except (PenstockError, OSError) as error:
            raise _for_callers(error) from error

    async def _go(self, slots: asyncio.Semaphore, ranges: Ranges, finish: Finish) -> None:
        digester, error = None, None
        try:
            async with slots:
                digester = await self._bring(ranges)
        except (PenstockError, OSError) as failure:
            error = _for_callers(failure)
            self.is_other = isinstance(failure, SourceChanged) and not self._began.done()
            note("fetch failed", path=self._path, reason=str(failure))
        except asyncio.CancelledError:
            error = SourceChanged("the fetch of this file was broken off; ask again")
            raise
        except Exception:  # noqa: BLE001 - readers must not wait for ever; logged, never shown
            error = PenstockError("the relay failed on this file; its log has the details")
            note("unexpected error", level=logging.ERROR, failed=True, path=self._path)
        finally:
            self._over = True
            try:
                await finish(self, digester)
            finally:
                self._end(error)

    async def _bring(self, ranges: Ranges) -> Digester:
        started = time.monotonic()
        download = await Download.open(
            self._upstream.lanes,
            Address(self._upstream.address(self._path), self._upstream.headers),
            self._target,
            ranges=ranges,
            restart=False,
        )
        try:
            digester = await self._run(download)
        finally:
            await download.close()
        seconds = round(time.monotonic() - started, 6)
        note("fetched", path=self._path, size=self.told.size, seconds=seconds)
        return digester

    async def _run(self, download: Download) -> Digester:
        running = asyncio.ensure_future(download.run())
        try:
            head = await download.head()
            sent = Told.of(head.headers)
            self.is_kept = self.is_kept and may_be_stored(sent.headers)
            if not (self.is_kept and self.told.same(sent)):
                raise SourceChanged("the file changed while it was asked for; ask again")
            self._download = download
            # Of our own, for readers who are still there when the download is closed.
            again = partial(os.open, f"/proc/self/fd/{download.fd}", os.O_RDONLY)
            self._fd = await open_in_thread(again, os.close)
            self._began.set_result(None)
            return await running
        except BaseException:
            self.is_lost = True
            raise
        finally:
            self._over = True
            if not running.done():
                running.cancel()
                await asyncio.wait([running])

    def _end(self, error: PenstockError | None) -> None:
        self._ended = True
        if error is None:
            self._whole.set_result(None)
        else:
            self._whole.set_exception(error)
            self._whole.exception()  # seen, so that asyncio does not report it as forgotten
        if error is not None and not self._began.done():
            self._began.set_exception(error)
            self._began.exception()
        self._let_go()

    def _let_go(self) -> None:
        if self._ended and not self._readers and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _for_callers(error: Exception) -> PenstockError:
    if isinstance(error, PenstockError):
        return passed_on(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull("the relay has no space left for this file")
    return PenstockError("the relay cannot keep this file; its log has the reason")
