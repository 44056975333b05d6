"""One answer of another server: its head, and its body piece by piece."""

import asyncio
from collections.abc import Mapping

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from penstock.remote.trouble import Trouble, failure, sorted_out

PIECE = 128 << 10
"""Bytes read at a time; the library holds about twice as much for each connection."""


class Answer:
    """An answer to a request for the caller's ``url``, which may have been redirected."""

    def __init__(self, url: str, response: aiohttp.ClientResponse, stall_timeout: float) -> None:
        self.url = url
        self._response = response
        self._stall_timeout = stall_timeout

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    @property
    def is_chunked(self) -> bool:
        """Whether the body marks its own end (RFC 9112 §7.1)."""
        return self.headers.get("Transfer-Encoding", "").strip().lower().endswith("chunked")

    async def read(self) -> bytes:
        """The next piece of the body, empty at its end.

        :raises Trouble: it broke off, or nothing came for too long.
        """
        try:
            async with asyncio.timeout(self._stall_timeout):
                return await self._response.content.read(PIECE)
        except TimeoutError:
            raise Trouble(failure(self.url, "its server stopped sending")) from None
        except (aiohttp.ClientError, HttpProcessingError) as error:
            raise sorted_out(self.url, error) from error

    def close(self) -> None:
        """Leave. A connection whose answer was not read to its end is of no use any more.

        It is aborted, since an orderly end of TLS would wait for the other side.
        """
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self._response.close()
