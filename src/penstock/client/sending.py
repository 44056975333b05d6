"""One request with a body: its pieces are watched while the connection takes them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from yarl import URL

from penstock.client.http import CONNECT_SECONDS, Http
from penstock.errors import PenstockError, Stalled

EXPECT_FROM = 1 << 20
"""From so many bytes on it is worth a round trip to hear a refusal before the body is sent."""

Read: TypeAlias = Callable[[], Awaitable[bytes | memoryview]]
Told: TypeAlias = Callable[[int], None]


async def send(
    http: Http,
    method: str,
    url: URL,
    body: "Body",
    *,
    size: int | None,
    headers: Mapping[str, str],
    answer_within: float,
) -> tuple[Mapping[str, str], bytes]:
    """Headers and body of the answer to a request with a body of ``size`` bytes, in one try.

    :raises Stalled: the connection takes no more bytes.
    :raises PenstockError: what the server answered, or what went wrong with the source.
    """
    length = {} if size is None else {"Content-Length": str(size)}
    expects = http.expects and (size is None or size >= EXPECT_FROM)
    try:
        async with asyncio.timeout(CONNECT_SECONDS + http.timeout) as body.patience:
            return await http.ask(
                method,
                url,
                answer_within=answer_within,
                data=body if size != 0 else b"",
                headers={**length, **headers},
                skip_auto_headers=["Content-Type"],
                expect100=expects,
            )
    except TimeoutError:
        if not body.begun:  # a proxy that knows no Expect: do not wait for its leave again
            http.expects = False
        raise Stalled(f"{http.base} took no bytes for {http.timeout:g} s") from None
    except PenstockError:
        if body.error is not None:
            raise body.error from None
        if expects and body.begun:
            http.reached = True  # it told us to continue
        raise


class Body:
    """What ``read`` gives until it gives nothing; ``told`` hears how many bytes went out."""

    def __init__(self, http: Http, read: Read, told: Told) -> None:
        self.error: Exception | None = None
        self.begun = False
        self.patience: asyncio.Timeout
        self._http = http
        self._read = read
        self._told = told
        self._rest = memoryview(b"")
        self._sent = 0

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> memoryview:
        """The next piece; while it is fetched only the source can be waited for."""
        self.begun = True
        self.patience.reschedule(None)
        self._told(self._sent)
        piece = await self._next()
        if not piece:
            raise StopAsyncIteration
        await self._http.throttle(len(piece))
        self._sent += len(piece)
        self.patience.reschedule(asyncio.get_running_loop().time() + self._http.timeout)
        return piece

    async def _next(self) -> memoryview:
        if not self._rest:
            try:
                self._rest = memoryview(await self._read())
            except Exception as error:
                self.error = error  # aiohttp reports it as a broken connection
                raise
        piece, self._rest = self._rest[: self._http.piece], self._rest[self._http.piece :]
        return piece
