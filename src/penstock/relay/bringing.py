"""Files brought whole into the relay's folder, as the client service of file_upload does.

They come by ranges of 512 KiB, one after the other, in gzip where the upstream likes. A file that
is there is held against what the upstream tells now, and not by its length alone: it is known if
it is the one that was brought, or if its SHA-256 is the upstream's. A shorter one, as
file_upload's client leaves it behind, is gone on with if the upstream tells a SHA-256 that can
prove the whole.
"""

import asyncio
import hashlib
import os
import threading
import time
from urllib.parse import quote

from yarl import URL

from penstock.client.address import Address
from penstock.client.download import Download, Ranges
from penstock.errors import Busy, DigestMismatch, PenstockError, SourceChanged
from penstock.logs import note
from penstock.octets.digests import Digester
from penstock.relay import here
from penstock.relay.told import Told
from penstock.relay.upstream import Upstream, passed_on
from penstock.threads import in_thread, to_the_end

_RANGES = Ranges(parallel=1, size=524_288, gzip=True)
_AT_ONCE = 32

_MOST = 1000
"""Files that come or wait for it: whoever leaves leaves one behind."""

PREFIX = "/download/"
"""Of the upstream's paths."""


class Bringing:
    """Brings files into ``folder``; what is known of them is kept in the folder ``facts``."""

    def __init__(self, upstream: Upstream, folder: str, facts: str) -> None:
        self._upstream = upstream
        self._folder = folder
        self._facts = facts
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[bool]] = {}
        self._closing = threading.Event()

    async def start(self) -> None:
        """Go on with what an earlier run did not complete."""
        for name, url in await in_thread(here.incomplete, self._folder):
            path = PREFIX + quote(name)
            if url == str(self._upstream.address(path)):
                note("resumed", path=path)
                self._begin(name, path)

    async def bring(self, name: str) -> bool:
        """Have the upstream's file of that name in the folder; whether it had to come.

        Whoever asks for one that is coming already waits for the same. It comes even if all leave.

        :raises PenstockError: what the upstream answers, or that it does not.
        :raises KeyConflict: something that is no file has the name.
        :raises Busy: too many files are to come already.
        """
        if name not in self._tasks and len(self._tasks) >= _MOST:
            raise Busy("too many files are to come; ask again later", retry_after=5)
        task = self._tasks.get(name) or self._begin(name, PREFIX + quote(name))
        return await asyncio.shield(task)

    def _begin(self, name: str, path: str) -> "asyncio.Task[bool]":
        task = self._tasks[name] = asyncio.create_task(self._bring(name, path))
        task.add_done_callback(lambda _: self._tasks.pop(name, None))
        task.add_done_callback(_seen)
        return task

    async def close(self) -> int:
        """Break off what is coming; answers how many files. The next start goes on."""
        self._closing.set()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        return len(tasks)

    async def _bring(self, name: str, path: str) -> bool:
        async with self._slots:
            started = time.monotonic()
            try:
                told = await self._brought(name, path)
            except PenstockError as error:
                note("not brought", name=name, reason=error.detail)
                raise passed_on(error) from error
        if told is None:
            return False
        note("brought", name=name, size=told.size, seconds=round(time.monotonic() - started, 6))
        return True

    async def _brought(self, name: str, path: str) -> Told | None:
        """What came; ``None`` if it was here."""
        target = os.path.join(self._folder, name)
        facts = os.path.join(self._facts, hashlib.sha256(name.encode()).hexdigest())
        url = self._upstream.address(path)
        for again in (True, False):
            told = await self._upstream.ask(path)
            if await in_thread(here.is_here, target, facts, told, self._closing):
                return None
            await to_the_end(in_thread(here.take_up, target, str(url), told))
            try:
                digester = await self._download(url, target, told)
            except (DigestMismatch, SourceChanged):
                # Not what was asked about, or what was here is the beginning of something else.
                if not again:
                    raise
                continue
            told = told.digested(digester.sha256)
            await to_the_end(in_thread(here.note_facts, target, facts, told))
            return told
        raise AssertionError("the second turn returns or raises")

    async def _download(self, url: URL, target: str, told: Told) -> Digester:
        upstream = self._upstream
        download = await Download.open(
            upstream.lanes,
            Address(url, upstream.headers),
            target,
            ranges=_RANGES,
            sha256=told.sha256,
            restart=False,
        )
        try:
            return await download.run()
        finally:
            await download.close()


def _seen(task: "asyncio.Task[bool]") -> None:
    """Nobody may be there any more to hear of an error."""
    if not task.cancelled():
        task.exception()
