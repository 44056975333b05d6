"""One file of any HTTP server on its way into a local one: resumed, in parallel, verified."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from yarl import URL

from penstock.client.address import NO_HEADERS, Address
from penstock.client.answers import Version, sha256_of
from penstock.client.arrivals import Arrivals, Claim
from penstock.client.carrying import Question, carry
from penstock.client.crew import Crew
from penstock.client.digesting import digest
from penstock.client.lane import Lane
from penstock.client.lanes import Lanes
from penstock.client.opening import Opening
from penstock.client.origin import Origin
from penstock.client.part_file import PartFile
from penstock.client.progress import Progress, no_progress
from penstock.client.retry import MAX_CHANGES, thinking_seconds
from penstock.client.ticking import every
from penstock.errors import (
    DigestMismatch,
    Forbidden,
    LoginNeeded,
    NotFound,
    PenstockError,
    PreconditionFailed,
    ServerUnavailable,
    SourceChanged,
)
from penstock.octets.digests import Digester
from penstock.octets.intervals import Intervals
from penstock.threads import use_in_thread

SAVE_SECONDS = 2.0
TELL_SECONDS = 0.1


class Ranges(NamedTuple):
    """How a file is asked for.

    ``parallel`` is the most connections; fewer are used when more do not help or are refused.
    ``size`` is bytes of each request; with it the file is asked about by HEAD first, and only
    exact ranges are requested. ``gzip``: ranges may come compressed, as file_upload sends them.
    """

    parallel: int | None = None
    size: int | None = None
    gzip: bool = False


ADAPTED = Ranges()


class Head(NamedTuple):
    """What the first answer told."""

    version: Version
    headers: Mapping[str, str]


class _StartAgain(Exception):
    """It broke, and nobody can ask for the rest of the same version."""

    def __init__(self, error: PenstockError) -> None:
        super().__init__(error.detail)
        self.error = error


class Download:
    """A remote file on its way into a local one; belongs to one event loop.

    Use :meth:`open`, :meth:`run` and, at last, :meth:`close`. Meanwhile what has come can be read
    from ``fd``, as far as :meth:`wait` tells.
    """

    def __init__(
        self,
        lanes: Lanes,
        part: PartFile,
        address: Address,
        ranges: Ranges,
        sha256: str | None,
        *,
        digested: bool,
        restart: bool,
    ) -> None:
        self._lanes = lanes
        self._part = part
        exact = ranges.size is not None
        self._origin = Origin(lanes, address, exact=exact, gzip=ranges.gzip)
        self._ranges = ranges
        self._sha256 = sha256
        self._digested = digested
        self._restart = restart
        self._progress = no_progress
        self._arrivals: Arrivals | None = None
        self._opening = Opening(self._origin, part)
        self._digesting: asyncio.Future[Digester] | None = None
        self._error: Exception | None = None
        self._head: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        self.headers: Mapping[str, str] = NO_HEADERS
        """Those of the last answer."""
        self.verified = False
        """Whether the bytes were held against a digest."""

    @classmethod
    async def open(
        cls,
        lanes: Lanes,
        url: str | URL | Address,
        target: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        ranges: Ranges = ADAPTED,
        sha256: str | None = None,
        digested: bool = False,
        restart: bool = True,
    ) -> "Download":
        """Take up what an earlier run left beside ``target``.

        ``headers`` go with every request to the same origin. ``sha256`` (hex) is what the whole
        must have; ``digested`` says that the server can be asked for it. Without ``restart`` a
        source that changes after :meth:`head` told of it is an error, and the part is removed.

        :raises Busy: another process is downloading to the same target.
        :raises KeyConflict: a file that is no part of ours stands in the way.
        """
        address = url if isinstance(url, Address) else Address(URL(url), headers)
        part = await PartFile.open(target, str(address.first), in_order=False)
        return cls(lanes, part, address, ranges, sha256, digested=digested, restart=restart)

    @property
    def fd(self) -> int:
        """A descriptor of the file, to read from until :meth:`close`."""
        return self._part.fd

    async def head(self) -> Head:
        """Wait for the first answer; raises what :meth:`run` failed with before there was one."""
        return await asyncio.shield(self._head)

    async def wait(self, at: int) -> int:
        """Wait for the byte ``at``; answers the end of what is there without a gap from it.

        That is ``at`` itself at the end of the file. What is waited for is fetched first. Raises
        what :meth:`run` failed with.
        """
        await self.head()
        if self._error is not None:
            raise self._error
        return await self._come.wait(at)

    async def run(self, progress: Progress = no_progress) -> Digester:
        """Bring the file to its place: whole, verified, durable; answers its digests.

        What has come when it fails or is cancelled stays for the next run.

        :raises DigestMismatch: it is whole, but the bytes are not the right ones.
        :raises SourceChanged: it changed again and again, or at all without ``restart``.
        :raises PenstockError: it cannot be had.
        """
        self._progress = progress
        try:
            async with every(TELL_SECONDS, self._tell):
                return await self._run()
        except BaseException as error:
            try:
                await self._opening.end()
                await self._leave(error)
            finally:
                self._fail(error)  # last, so that whoever is told can begin again at once
            raise

    async def close(self) -> None:
        """Leave what has come for a later run, if it is not whole."""
        await self._part.close()

    async def _leave(self, error: BaseException) -> None:
        """Keep what came for the next run, if it can be of use to that."""
        lost = isinstance(error, SourceChanged) and not self._restart
        if isinstance(error, DigestMismatch) or lost:
            await self._part.discard()
        else:
            await self._save()

    @property
    def _version(self) -> Version:
        assert self._part.version is not None
        return self._part.version

    @property
    def _come(self) -> Arrivals:
        assert self._arrivals is not None
        return self._arrivals

    async def _run(self) -> Digester:
        changes = 0
        while True:
            try:
                return await self._attempt()
            except _StartAgain as broken:
                if self._is_bound:
                    raise SourceChanged(broken.error.detail) from broken
                await self._origin.pause(broken.error, False)
                self._forget(broken.error)
            except SourceChanged as error:
                changes += 1
                if changes > MAX_CHANGES or self._is_bound:
                    raise
                await self._origin.pause(error, False)
                self._forget(error)
            except (Forbidden, LoginNeeded, NotFound):
                changes += 1
                if changes > MAX_CHANGES or not self._origin.renew():
                    raise

    @property
    def _is_bound(self) -> bool:
        """Whether somebody was told of a version, and may count on it."""
        return self._head.done() and not self._restart

    def _forget(self, error: Exception) -> None:
        """Begin anew, with whatever is there now."""
        if self._arrivals is not None:
            self._arrivals.stop(error)
        self._arrivals = None
        self._part.version = None

    def _fail(self, error: BaseException) -> None:
        """Tell those who wait."""
        told = error if isinstance(error, Exception) else ServerUnavailable("it was given up")
        self._error = told
        if not self._head.done():
            self._head.set_exception(told)
            self._head.exception()  # perhaps nobody waits for it
        if self._arrivals is not None:
            self._arrivals.stop(told)

    async def _attempt(self) -> Digester:
        """Everything that is missing of one version."""
        first = None
        if self._part.version is None:
            first = await self._open()
        elif self._arrivals is None:
            self._expect(self._part.version)
            self._take(self._arrivals_of(self._part.version, self._part.have))
        await self._tell()
        if first is None and self._come.is_whole:
            await self._confirm()
        await self._fetch_all(first)
        await self._tell()
        return await self._complete()

    async def _fetch_all(self, first: Claim | None) -> None:
        crew = Crew(
            self._lanes,
            self._come,
            self._fetch,
            self._origin.pause,
            most=self._most(),
            size=self._ranges.size,
        )
        async with every(SAVE_SECONDS, self._save):
            await crew.run(first)

    def _most(self) -> int:
        """How many connections there may be: one if the parts could be of several versions."""
        if self._version.validator is None or self._version.size is None:
            return 1
        told = self.headers
        if told and "Content-Range" not in told and "bytes" not in told.get("Accept-Ranges", ""):
            return 1
        return self._ranges.parallel or self._lanes.parallel

    # The first answer.

    async def _open(self) -> Claim | None:
        """Ask for the file of which nothing is known; answers the claim that is on its way."""
        while True:
            try:
                if self._ranges.size is not None and await self._ask_first():
                    return None
                return await self._opening.begin(self._expect, self._come_first)
            except PenstockError as error:
                if isinstance(error, SourceChanged):
                    raise
                await self._origin.pause(error, False)

    async def _ask_first(self) -> bool:
        """Ask for size and version; whether ranges of it can be told from those of others.

        file_upload has no versions, and serves nothing but ranges.
        """
        headers = await self._origin.known()
        version = self._expect(Version.from_headers(headers))
        if version.size is None or not (version.validator or self._ranges.gzip):
            return False
        await use_in_thread(self._part.begin, version)
        self._come_first(self._arrivals_of(version, Intervals()), headers)
        return True

    def _come_first(self, arrivals: Arrivals, headers: Mapping[str, str]) -> None:
        self._take(arrivals)
        self._tell_head(headers)

    def _expect(self, version: Version) -> Version:
        """The version, if it can have the digest that the caller knows of.

        :raises DigestMismatch: the server tells another one.
        """
        if self._sha256 is not None and version.sha256 not in (None, self._sha256):
            raise DigestMismatch(f"{self._origin.name} has not the SHA-256 that was asked for")
        return version

    def _arrivals_of(self, version: Version, have: Intervals) -> Arrivals:
        return Arrivals(version.size, have, asyncio.get_running_loop())

    def _take(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        digesting = asyncio.get_running_loop().run_in_executor(
            self._lanes.digesting, digest, self._part, arrivals
        )
        digesting.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._digesting = digesting

    def _tell_head(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        if not self._head.done():
            self._head.set_result(Head(self._version, headers))

    # What follows.

    async def _fetch(self, claim: Claim) -> None:
        """Bring one stretch."""
        try:
            if self._opening.is_under_way:
                await self._opening.rest()
            else:
                await self._carry(claim)
        except PenstockError as error:
            if isinstance(error, SourceChanged) or self._version.validator is not None:
                raise
            raise _StartAgain(error) from error

    async def _carry(self, claim: Claim) -> None:
        loop, part, arrivals = asyncio.get_running_loop(), self._part, self._come

        def heard(headers: Mapping[str, str]) -> None:
            loop.call_soon_threadsafe(self._tell_head, headers)

        def work(question: Question, lane: Lane) -> None:
            carry(question, lane, part, arrivals, claim, heard)

        await self._origin.use(work)

    async def _confirm(self) -> None:
        """Everything is there already: make sure that it still is what the server has."""
        headers = await self._origin.known()
        if not Version.from_headers(headers).same(self._version):
            raise SourceChanged(f"{self._origin.name} changed since its download began")
        self._tell_head(headers)

    async def _complete(self) -> Digester:
        assert self._digesting is not None
        digester = await self._digesting
        version = self._version
        if self._digested and not version.has_digest and version.etag is not None:
            version = await self._ask_digest(version)
        assert digester.sha256 is not None
        wanted = self._sha256 in (None, digester.sha256.hex())
        if version.agrees(digester) is False or not wanted:
            raise DigestMismatch(
                f"the bytes that came from {self._origin.name} are not the right ones; "
                "run the command again"
            )
        self.verified = version.has_digest or self._sha256 is not None
        await self._part.commit()
        return digester

    async def _ask_digest(self, version: Version) -> Version:
        """The version with its SHA-256, if the server can tell it (RFC 9530 §4)."""
        asked = {"Want-Repr-Digest": "sha-256=10", "If-Match": str(version.etag)}
        while True:
            try:
                thinking = thinking_seconds(version.size)
                headers = await self._origin.head(asked, thinking=thinking)
                return replace(version, sha256=sha256_of(headers))
            except PreconditionFailed as error:
                changed = f"{self._origin.name} changed while it was fetched"
                raise SourceChanged(changed) from error
            except PenstockError as error:
                await self._origin.pause(error, False)

    # While it runs.

    async def _save(self) -> None:
        """Note what came. A disk that is full will be told of by the bytes themselves, and one
        that fails when the file is to be made durable."""
        if self._arrivals is not None and self._part.version is not None:
            with suppress(OSError):
                await use_in_thread(self._part.save, self._arrivals.stretches())

    async def _tell(self) -> None:
        """How far it is."""
        if self._arrivals is not None:
            self._progress(self._arrivals.done, self._arrivals.size)
