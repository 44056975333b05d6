"""The body of a request to a storage node, which must take it in time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from types import AsyncGeneratorType
from typing import Final, cast

Body = Callable[[], AsyncIterator[bytes | memoryview]]

_STORE_RATE: Final = 4 << 20
"""Bytes per second that a node is given to make a part durable, at least."""


class Sending:
    """One try to send ``size`` bytes.

    The node may take ``silence`` seconds for each piece; the time that the body itself takes to
    give one does not count.
    """

    def __init__(self, body: Body, size: int, silence: float) -> None:
        self._body = body
        self._silence = silence
        self.storing = silence + size / _STORE_RATE
        """Seconds that the node may take to answer behind the last byte."""
        self.pieces = cast("AsyncGeneratorType[bytes | memoryview, None]", self._watched())
        """To be given to aiohttp, which reads it in a task of its own."""
        self.error: Exception | None = None
        """What the body failed with: no fault of the node's."""
        self._ended = asyncio.Event()
        self._timeout = asyncio.timeout(silence)

    @property
    def patience(self) -> asyncio.Timeout:
        """The time in which it must go on; to be entered once."""
        return self._timeout

    async def stop(self) -> None:
        """Wait until nobody reads the body any more, if its request has ended."""
        if self.pieces.ag_running:
            await self._ended.wait()
        else:
            await self.pieces.aclose()

    async def _watched(self) -> AsyncGenerator[bytes | memoryview, None]:
        pieces = self._body()
        try:
            self._wait_for(None)
            async for piece in pieces:
                self._wait_for(self._silence)
                yield piece
                self._wait_for(None)
            self._wait_for(self.storing)
        except Exception as error:
            self.error = error
            raise
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
            self._ended.set()

    def _wait_for(self, seconds: float | None) -> None:
        when = None if seconds is None else asyncio.get_running_loop().time() + seconds
        with suppress(RuntimeError):  # the request has ended meanwhile
            self._timeout.reschedule(when)
