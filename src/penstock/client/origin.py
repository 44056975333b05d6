"""Asking for one file: on a connection of the pool, through redirects, again after a while."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from penstock.client.address import NO_HEADERS, Address, Moved
from penstock.client.carrying import Question, answered
from penstock.client.lane import Lane
from penstock.client.lanes import Lanes
from penstock.client.retry import is_temporary
from penstock.errors import Forbidden, MethodNotAllowed, PenstockError, ServerUnavailable

T = TypeVar("T")


class Origin:
    """The server that has a file, as far as one download speaks to it.

    ``exact`` and ``gzip`` are those of :class:`Question`.
    """

    def __init__(self, lanes: Lanes, address: Address, *, exact: bool, gzip: bool) -> None:
        self.name = address.name
        self._address = address
        self._lanes = lanes
        self._exact = exact
        self._gzip = gzip
        self._backoff = lanes.backoff()

    async def use(self, work: Callable[[Question, Lane], T]) -> T:
        """Do ``work`` on a connection, wherever the server sends us to.

        :raises PenstockError: it sends us in circles, or where we do not go.
        """
        while True:
            address = self._address
            question = Question(address.url, address.headers, self._exact, self._gzip)
            try:
                done = await self._lanes.use(question.url, partial(work, question))
            except Moved as moved:
                if address.url == question.url:  # else another connection was told so already
                    address.move(moved.location)
            else:
                address.arrived()
                return done

    async def head(
        self, more: Mapping[str, str] = NO_HEADERS, *, thinking: float = 0.0
    ) -> Mapping[str, str]:
        """The headers that a HEAD is answered with; ``more`` go with it.

        ``thinking`` is how many seconds beyond the usual the server may take.
        """

        def work(question: Question, lane: Lane) -> Mapping[str, str]:
            headers = {**question.headers, **more}
            reply = answered(lane, "HEAD", question.url, headers, thinking)
            reply.read()
            return reply.headers

        return await self.use(work)

    async def known(self) -> Mapping[str, str]:
        """The headers of the file, however they can be had, after as many tries as it takes."""
        while True:
            try:
                return await self._known()
            except PenstockError as error:
                if not is_temporary(error):
                    raise
                await self.pause(error, False)

    async def _known(self) -> Mapping[str, str]:
        try:
            return await self.head()
        except (Forbidden, MethodNotAllowed):
            return await self._first_byte()  # a signed link may be good for GET only

    async def _first_byte(self) -> Mapping[str, str]:
        """The headers that a GET of the first byte is answered with: they tell as much."""

        def work(question: Question, lane: Lane) -> Mapping[str, str]:
            headers = {**question.headers, "Range": "bytes=0-0"}
            reply = answered(lane, "GET", question.url, headers)
            reply.read()
            return reply.headers

        return await self.use(work)

    def renew(self) -> bool:
        """See :meth:`Address.renew`."""
        return self._address.renew()

    async def pause(self, error: PenstockError, progressed: bool) -> None:
        """Wait before the next try, or raise ``error`` if there should be none.

        A server that never answered is reported at once: it is more likely a wrong address than
        a passing trouble.
        """
        never = not self._lanes.was_reached(self._address.url)
        if isinstance(error, ServerUnavailable) and never:
            raise error
        await self._backoff.after(error, progressed=progressed)
