"""One upload resource is filled, over as many connections as it takes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from penstock.client import tus
from penstock.client.http import Http
from penstock.client.retry import Backoff
from penstock.client.sending import Body
from penstock.client.spans import Span
from penstock.client.tus_fields import Standing
from penstock.errors import DigestMismatch, PenstockError, SourceChanged, UploadGone

DELETE_SECONDS = 5.0


class Upload:
    """An upload of the server's, and how far it is as far as we know.

    ``told`` hears how many bytes of it are sent. A failed try may have brought more bytes than
    we know, so the server is asked before the next one.
    """

    def __init__(
        self,
        http: Http,
        backoff: Backoff,
        location: str,
        standing: Standing,
        told: Callable[[int], None],
    ) -> None:
        self.location = location
        self.standing = standing
        self._http = http
        self._backoff = backoff
        self._url = http.located(location)
        self._told = told
        self._sure = True
        self._credited = standing.offset

    async def send(self, span: Span) -> None:
        """Append until the server has the bytes of ``span``; those before it are there.

        :raises UploadGone: the upload, or a part of what it had, is no more.
        :raises SourceChanged: the source of the bytes is not what it was.
        """
        while not self._has(span):
            try:
                if self._sure:
                    await self._append(span)
                else:
                    await self._ask(span.stop)
            except (SourceChanged, UploadGone):
                raise
            except PenstockError as error:
                await self._retry(error)

    async def verify(self, offset: int, sha256: str) -> None:
        """Hold what the server has before ``offset`` against what was sent.

        If it is further already, its last answer is what can be held against that.

        :raises DigestMismatch: the server has other bytes.
        """
        while True:
            try:
                await self._ask(offset, digest=True)
                break
            except UploadGone:
                raise
            except PenstockError as error:
                await self._retry(error)
        told = self.standing.sha256
        if self.standing.offset == offset and told not in (None, sha256):
            raise DigestMismatch("the server received other bytes than were sent; send them again")

    async def abandon(self) -> None:
        """Remove the upload; one that cannot be removed now will expire."""
        with suppress(PenstockError, TimeoutError):
            async with asyncio.timeout(DELETE_SECONDS):
                await tus.delete(self._http, self._url)

    def _has(self, span: Span) -> bool:
        if span.length is not None:
            return self.standing.complete
        return self.standing.offset >= span.stop

    async def _append(self, span: Span) -> None:
        at = self.standing.offset
        if at < span.start:
            raise UploadGone("the server has lost bytes that it had received")
        self._sure = False
        read, checksum = await span.begin(at)
        body = Body(self._http, read, lambda sent: self._told(at + sent))
        new = await tus.append(
            self._http,
            self._url,
            body,
            at,
            span.stop - at,
            length=span.length,
            checksum=checksum,
        )
        self._take(new)

    async def _ask(self, size: int, *, digest: bool = False) -> None:
        self._sure = False
        self._take(await tus.ask(self._http, self._url, size, digest=digest))

    def _take(self, new: Standing) -> None:
        known = self.standing.length if new.length is None else new.length
        self.standing = replace(new, length=known)
        self._sure = True
        self._told(new.offset)

    async def _retry(self, error: PenstockError) -> None:
        """Wait, or raise ``error``; what the last try but one brought counts for it."""
        progressed = self.standing.offset > self._credited
        self._credited = self.standing.offset
        await self._http.retry(self._backoff, error, progressed=progressed)
