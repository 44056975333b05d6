"""The server that a relay stands before: its addresses, what it tells, and its errors."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from penstock.client.http import Http
from penstock.errors import (
    Busy,
    Forbidden,
    KeyConflict,
    PenstockError,
    ServerUnavailable,
    SourceChanged,
    SourceFailed,
    StorageFull,
)
from penstock.relay.options import Options
from penstock.relay.told import Told

_RETRY_AFTER = 5


class Upstream:
    """Made and closed inside a running event loop; ``lanes`` are for downloads from it.

    :raises ValueError: the address is no ``http://`` or ``https://`` address.
    """

    def __init__(self, options: Options) -> None:
        self._http = Http(
            options.upstream,
            limit_rate=None,
            timeout=options.timeout,
            tries=options.tries,
            parallel=options.parallel,
        )
        self.headers = dict(options.headers)
        self.lanes = self._http.lanes
        # Credentials are for the upstream, and not for wherever it sends us to.
        self._may_redirect = not self.headers

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    def address(self, path: str) -> URL:
        """The URL of an encoded path."""
        return self._http.url(path)

    def path(self, address: str) -> str | None:
        """The path of a URL; ``None`` if it is not this upstream's."""
        base = self._http.base
        return address.removeprefix(base) if address.startswith(f"{base}/") else None

    async def ask(self, path: str) -> Told:
        """What it tells of a file.

        :raises PenstockError: it tells an error, or nothing (see :func:`is_silent`).
        """
        headers = {"Accept-Encoding": "identity", **self.headers}
        answer, _ = await self._http.ask(
            "HEAD", self._http.url(path), headers=headers, allow_redirects=self._may_redirect
        )
        return Told.of(answer)

    @asynccontextmanager
    async def request(
        self, method: str, path: str, headers: Mapping[str, str], silence: float = 0.0
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a request with a caller's ``headers``; raises as :meth:`ask` does.

        ``silence`` is how many seconds it may take over the next bytes, if more than the timeout.
        """
        fields = CIMultiDict(headers)
        fields.update(self.headers)
        async with self._http.request(
            method,
            self._http.url(path),
            headers=fields,
            allow_redirects=self._may_redirect,
            answer_within=max(silence, self._http.timeout),
        ) as response:
            yield response

    async def read(self, answer: aiohttp.ClientResponse) -> bytes:
        """The next bytes of a body; empty at its end."""
        return await self._http.read(answer)


def is_silent(error: PenstockError) -> bool:
    """Whether an upstream's error means that it cannot answer now (RFC 9111 §4.2.4, §4.3.3)."""
    status = error.extra.get("status")
    if isinstance(status, int):
        return status >= 500
    return isinstance(error, ServerUnavailable)


def passed_on(error: PenstockError) -> PenstockError:
    """What callers are told of an error: nothing of where the upstream is, or the relay's files."""
    status = error.extra.get("status")
    if status is None and not is_silent(error):
        return _own(error)
    if status in (401, 403, 407):
        return Forbidden("the upstream refuses this to the relay; its operator gives credentials")
    wait = error.extra.get("retry_after")
    pause = {"retry_after": round(wait)} if isinstance(wait, float | int) else {}
    if is_silent(error):
        return ServerUnavailable(
            "the upstream of this relay cannot be reached; try again later",
            **{"retry_after": _RETRY_AFTER, **pause},
        )
    detail = error.extra.get("detail")
    if not isinstance(detail, str) or not detail:
        detail = f"the upstream of this relay answered {status}"
    kind = SourceFailed if type(error) is PenstockError else type(error)
    return kind(detail, **pause)


def _own(error: PenstockError) -> PenstockError:
    """An error that was met here."""
    if isinstance(error, SourceChanged):
        return SourceChanged("the file changes while it is fetched; ask again")
    if isinstance(error, Busy | KeyConflict):
        return KeyConflict("something is in the way in the relay's folder; its operator can look")
    if isinstance(error, StorageFull):
        return StorageFull("the relay has no space left for this file")
    return SourceFailed("the relay cannot get this file from its upstream; its log has the reason")
