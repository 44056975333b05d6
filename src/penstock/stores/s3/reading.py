"""Reading an object: one request, gone on with from where it broke."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import aiohttp

from penstock.stores.s3.calls import Calls
from penstock.stores.s3.client import Call, Client
from penstock.stores.s3.documents import bare
from penstock.stores.s3.trouble import Broken, Refused, changed

_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_PIECE: Final = 1 << 20


async def read(
    client: Client, name: str, key: str, start: int, stop: int | None, etag: str | None
) -> AsyncGenerator[bytes, None]:
    """The bytes ``start`` to ``stop`` of one version, whatever breaks meanwhile.

    :raises SourceChanged: it is not, or not any more, the version ``etag``; or the one it was
        when reading began.
    :raises Refused: as :meth:`Client.call` does.
    :raises Broken: likewise.
    """
    reading = _Reading(client, name, key, start, stop, etag)
    failures = 0
    while not reading.done:
        at = reading.at
        try:
            async with aclosing(reading.once()) as pieces:
                async for data in pieces:
                    yield data
        except Refused as error:
            if error.status == 412:
                raise changed(key) from error
            if error.status == 404 and reading.begun:
                raise changed(key) from error
            if error.status == 416:
                # What was there is not any more; or nothing was, where it began.
                if reading.begun or (etag and (await Calls(client).head(name)).etag != etag):
                    raise changed(key) from error
                return
            failures = 1 if reading.at > at else failures + 1
            await client.pause(error, failures)
        except Broken as error:
            failures = 1 if reading.at > at else failures + 1
            await client.pause(error, failures)
        else:
            client.retries.succeeded()


class _Reading:
    def __init__(
        self, client: Client, name: str, key: str, start: int, stop: int | None, etag: str | None
    ) -> None:
        self._client = client
        self._name = name
        self._key = key
        self._stop = stop
        self._etag = etag
        self.at = start
        self.begun = False
        self.done = False

    async def once(self) -> AsyncGenerator[bytes, None]:
        """What one request brings of what is missing."""
        async with self._client.open(Call("GET", self._name, headers=self._fields())) as response:
            self._check(response)
            async for data in response.content.iter_any():
                for first in range(0, len(data), _PIECE):
                    piece = data[first : first + _PIECE]
                    if self._stop is not None and self.at + len(piece) > self._stop:
                        raise Broken("it sends more than was asked for")
                    self.at += len(piece)
                    yield piece
        if self._stop is not None and self.at < self._stop:
            raise Broken("its answer was cut short")
        self.done = True

    def _fields(self) -> dict[str, str]:
        fields = {}
        if self.at or self._stop is not None:
            last = "" if self._stop is None else self._stop - 1
            fields["Range"] = f"bytes={self.at}-{last}"
        if self._etag is not None:
            fields["If-Match"] = f'"{self._etag}"'
        return fields

    def _check(self, response: aiohttp.ClientResponse) -> None:
        """Hold the head of the answer against what was asked; not every server obeys."""
        etag = bare(response.headers.get("ETag", ""))
        if self._etag is not None and etag != self._etag:
            raise changed(self._key)
        self._etag = etag or None
        first, size = 0, response.content_length
        if response.status == 206:
            told = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if told is None:
                raise Broken("its answer does not say which range it is")
            first, size = int(told[1]), int(told[3])
        if first != self.at:
            raise Broken("it sends another range than was asked for")
        if size is None:
            raise Broken("its answer has no length")
        # What is asked for beyond the end is not there.
        self._stop = size if self._stop is None else min(self._stop, size)
        self.begun = True
