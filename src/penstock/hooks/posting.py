"""One delivery: the request of the Standard Webhooks specification, and what its answer means."""

import asyncio
import time
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from penstock import __version__
from penstock.catalog.outbox import Letter
from penstock.hooks.receiver import Receiver
from penstock.remote.fields import retry_after
from penstock.remote.trouble import Trouble, sorted_out


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a delivery went; ``pause`` is how many seconds the receiver asks to be left alone."""

    delivered: bool = False
    gone: bool = False
    reason: str = ""
    pause: float = 0.0


class Poster:
    """Posts events to one receiver; made and used in one event loop."""

    def __init__(self, receiver: Receiver, timeout: float) -> None:
        self._receiver = receiver
        self._timeout = timeout
        self._session = aiohttp.ClientSession(
            # A connection for each event: one kept open may be closed by the other side at the
            # very moment it is used, and the event would seem to have failed.
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None),
            headers={"User-Agent": f"penstock/{__version__}", "Content-Type": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=4096,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def post(self, letter: Letter) -> Verdict:
        """Deliver an event and judge the answer by its status alone."""
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._session.post(
                    self._receiver.url,
                    data=letter.body.encode(),
                    headers=self._headers(letter),
                    allow_redirects=False,
                )
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            return Verdict(reason=_reason(error))
        _leave(response)
        return _judge(response)

    def _headers(self, letter: Letter) -> dict[str, str]:
        now = int(time.time())
        return {
            "webhook-id": letter.id,
            "webhook-timestamp": str(now),
            "webhook-signature": self._receiver.sign(letter.id, now, letter.body),
        }


def _leave(response: aiohttp.ClientResponse) -> None:
    """Nobody reads the body. An orderly end of TLS would wait for the other side."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        connection.transport.abort()
    response.close()


def _judge(response: aiohttp.ClientResponse) -> Verdict:
    status = response.status
    if 200 <= status < 300:
        return Verdict(delivered=True)
    asked = retry_after(response.headers.get("Retry-After"))
    return Verdict(
        gone=status == HTTPStatus.GONE, reason=f"it answers HTTP {status}", pause=asked or 0.0
    )


def _reason(error: Exception) -> str:
    found = sorted_out("", error)
    return str((found.error if isinstance(found, Trouble) else found).extra["reason"])
