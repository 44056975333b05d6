"""Where a file is asked for: through redirects, again when it did not work, by HEAD or GET."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from yarl import URL

from penstock.client.carrying import NO_HEADERS, Moved, Question, answered
from penstock.client.lane import Lane
from penstock.client.lanes import Lanes
from penstock.errors import PenstockError, ServerUnavailable

T = TypeVar("T")

MAX_REDIRECTS = 10


class Origin:
    """The address of one file, and the way that the servers send us from there.

    ``url`` is where it began, ``name`` the same as it may be told; the headers of ``question`` do
    not leave its origin.
    """

    def __init__(self, lanes: Lanes, question: Question) -> None:
        self.url = question.url
        self.name = question.name
        self._lanes = lanes
        self._first = question
        self._question = question
        self._backoff = lanes.backoff()

    async def use(self, work: Callable[[Lane, Question], T]) -> T:
        """Do ``work`` on a connection, wherever the server sends us to.

        :raises PenstockError: it sends us in circles, or where we do not go.
        """
        for _ in range(MAX_REDIRECTS + 1):
            question = self._question
            try:
                return await self._lanes.use(question.url, partial(_turned, work, question))
            except Moved as moved:
                self._question = self._moved(question, moved.location)
        self._question = self._first
        raise PenstockError(f"{self.name} is redirected more than {MAX_REDIRECTS} times")

    async def head(
        self, more: Mapping[str, str] = NO_HEADERS, *, thinking: float = 0.0
    ) -> Mapping[str, str]:
        """The headers that a HEAD is answered with; ``more`` go with it.

        ``thinking`` is how many seconds beyond the usual the server may take.
        """

        def work(lane: Lane, question: Question) -> Mapping[str, str]:
            headers = {**question.for_whole(), **more}
            reply = answered(lane, "HEAD", question.url, headers, thinking)
            reply.read()
            return reply.headers

        return await self.use(work)

    async def first_byte(self) -> Mapping[str, str]:
        """The headers that a GET of the first byte is answered with: they tell as much."""

        def work(lane: Lane, question: Question) -> Mapping[str, str]:
            headers = {**question.for_whole(), "Range": "bytes=0-0"}
            reply = answered(lane, "GET", question.url, headers)
            reply.read()
            return reply.headers

        return await self.use(work)

    def renew(self) -> bool:
        """Ask from the beginning again, since a link that it led to may have expired.

        Answers whether there is any point.
        """
        before, self._question = self._question, self._first
        return before is not self._first

    async def pause(self, error: PenstockError, progressed: bool) -> None:
        """Wait before the next try, or raise ``error`` if there should be none.

        A server that never answered is reported at once: it is more likely a wrong address than
        a passing trouble.
        """
        never = not self._lanes.was_reached(self._question.url)
        if isinstance(error, ServerUnavailable) and never:
            raise error
        await self._backoff.after(error, progressed=progressed)

    def _moved(self, question: Question, location: str) -> Question:
        url = URL()
        with suppress(ValueError):
            url = question.url.join(URL(location, encoded=True))
        if url.scheme not in ("http", "https") or not url.host:
            raise PenstockError(f"{self.name} is redirected to something that is not on the web")
        if (question.url.scheme, url.scheme) == ("https", "http"):
            raise PenstockError(
                f"{self.name} is redirected from https to http, where anybody could change it"
            )
        ours = url.origin() == self.url.origin()
        return replace(self._first, url=url, headers=self._first.headers if ours else NO_HEADERS)


def _turned(work: Callable[[Lane, Question], T], question: Question, lane: Lane) -> T:
    return work(lane, question)
