"""The bytes of a part as a storage node sends them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TypeVar

import aiohttp

from penstock.cluster.node_socket import Direct
from penstock.cluster.trouble import Kind, NodeFailed
from penstock.threads import in_pool, to_the_end

T = TypeVar("T")


class PartStream:
    """An answer of ``left`` bytes that is being read; to be closed. Nothing of it is verified.

    It has broken off when nothing came for ``silence`` seconds.
    """

    def __init__(
        self, node: str, response: aiohttp.ClientResponse, left: int, silence: float
    ) -> None:
        self.node = node
        self._response = response
        self._left = left
        self._silence = silence
        self._direct: Direct | None = None

    async def block(self, size: int, work: Callable[[bytes], T], pool: Executor) -> T:
        """What ``work`` makes of the next ``size`` bytes, in a thread of ``pool``.

        :raises NodeFailed: it broke off.
        """
        self._left -= size
        if self._direct is not None:
            return await self._direct.block(size, work, pool)
        return await to_the_end(in_pool(pool, work, await self._exactly(size)))

    def go_direct(self) -> None:
        """Read what is left past the event loop, if that is much.

        :raises NodeFailed: it broke off.
        """
        if self._direct is None:
            with sorted_out(self.node):  # it may have broken off since the last block was read
                self._direct = Direct.take_over(
                    self.node, self._response, self._left, self._silence
                )

    async def _exactly(self, size: int) -> bytes:
        content = self._response.content
        with sorted_out(self.node):
            try:
                return await content.readexactly(size)
            except asyncio.IncompleteReadError as error:
                raise NodeFailed(Kind.UNREACHABLE, self.node, "a part was cut short") from error

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """What follows, as it comes.

        :raises NodeFailed: it broke off.
        """
        with sorted_out(self.node):
            async for data in self._response.content.iter_any():
                yield data

    def close(self) -> None:
        """Keep the connection if the answer was read to its end, else close it."""
        if self._direct is not None:
            self._direct.close()
        else:
            let_go(self._response)


def let_go(response: aiohttp.ClientResponse) -> None:
    """Keep the connection if the answer was read to its end, else close it."""
    if response.content.at_eof():
        response.release()
    else:
        response.close()


@contextmanager
def sorted_out(node: str) -> Iterator[None]:
    """Turns what a request to a node fails with into :class:`NodeFailed`."""
    try:
        yield
    except TimeoutError as error:
        raise NodeFailed(Kind.UNREACHABLE, node, "it does not answer in time") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        reason = f"the connection broke ({type(error).__name__})"
        raise NodeFailed(Kind.UNREACHABLE, node, reason) from error
