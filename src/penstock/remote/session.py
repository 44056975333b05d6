"""Requests to other servers: every hop checked, every error sorted."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from penstock import __version__
from penstock.remote.answer import PIECE, Answer
from penstock.remote.guard import Door
from penstock.remote.lanes import Closed, Lanes, NoPlace
from penstock.remote.limits import RemoteLimits
from penstock.remote.lookup import Lookup
from penstock.remote.trouble import Trouble, failure, refusal, sorted_out
from penstock.remote.urls import Target, is_host

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Session:
    """Connections to other servers within ``limits``; ``tls`` says which certificates count."""

    def __init__(self, limits: RemoteLimits, tls: ssl.SSLContext | None) -> None:
        self.limits = limits
        self._tls = tls
        self._lookup = Lookup()
        self._lanes = Lanes(limits.connections, limits.answer_timeout, self._lane)

    async def close(self) -> None:
        """Close every connection."""
        await self._lanes.close()
        self._lookup.close()

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str], ours: Mapping[str, str]
    ) -> AsyncIterator[Answer]:
        """The answer at the end of all redirects, whatever its status; closed behind the block.

        ``headers`` are the caller's and stay with the first origin, ``ours`` go everywhere.

        :raises BadRequest: the URL or a header cannot be.
        :raises RemoteRefused: it leads where we must not go.
        :raises SourceFailed: there will be no answer.
        :raises Trouble: there was none this time.
        """
        target = Target.of(url, headers)
        try:
            for _ in range(self.limits.redirects + 1):
                async with self._hop(method, url, target, ours) as answer:
                    if answer.status not in _REDIRECTS:
                        yield answer
                        return
                    target = _next(url, target, answer)
        except Closed:
            raise failure(url, "this server is shutting down") from None
        except NoPlace:
            raise Trouble(failure(url, "too much else is read from other servers")) from None
        raise failure(url, f"it is redirected more than {self.limits.redirects} times")

    @asynccontextmanager
    async def _hop(
        self, method: str, url: str, target: Target, ours: Mapping[str, str]
    ) -> AsyncIterator[Answer]:
        async with self._lanes.to(target.url.origin()) as session:
            answer = await self._send(session, method, url, target, ours)
            try:
                yield answer
            finally:
                answer.close()

    async def _send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: str,
        target: Target,
        ours: Mapping[str, str],
    ) -> Answer:
        headers = {**target.headers, **ours, "Accept-Encoding": "identity"}
        try:
            async with asyncio.timeout(self.limits.connect_timeout + self.limits.answer_timeout):
                response = await session.request(
                    method, target.url, headers=headers, allow_redirects=False
                )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise sorted_out(url, error) from error
        return Answer(url, response, self.limits.stall_timeout)

    def _lane(self, origin: URL) -> aiohttp.ClientSession:
        """A session that knows nothing but one origin and the door to it."""
        door = Door(origin, self.limits, self._lookup)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=1,
                resolver=door,
                use_dns_cache=False,
                socket_factory=door.socket,
                ssl=True if self._tls is None else self._tls,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect_timeout),
            headers={"User-Agent": f"penstock/{__version__}", "Accept": "*/*"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=PIECE,
        )


def _next(url: str, target: Target, answer: Answer) -> Target:
    """Where a redirect leads, if we may follow it."""
    location = answer.headers.get("Location")
    following = None if location is None else target.redirected(location)
    if following is None:
        raise failure(url, f"it answers HTTP {answer.status} without an address to go to")
    if following.url.scheme not in ("http", "https") or not is_host(following.url):
        raise refusal(url, "is redirected to something that is not on the web")
    if (target.url.scheme, following.url.scheme) == ("https", "http"):
        raise refusal(url, "is redirected from https to http, where anybody could change it")
    return following
