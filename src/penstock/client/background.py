"""Work that a server does in the background: pulls, archives and jobs of every kind."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from penstock.client.answers import JsonObject, understood
from penstock.client.events import Event, EventReader
from penstock.client.http import Http, json_of
from penstock.errors import PenstockError, ServerUnavailable, error_class

SILENCE = 60.0
"""Seconds without even a comment after which a stream of events is left; one comes every 15."""


class Work(Protocol):
    """One piece of work, as it stood when the server told of it."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more, unless it is retried."""


W = TypeVar("W", bound=Work)


class Background(Generic[W]):
    """What is at ``path`` (``/v1/pulls``): ``name`` is the member of a page that has them, ``read``
    makes one of its JSON."""

    def __init__(self, http: Http, path: str, name: str, read: Callable[[JsonObject], W]) -> None:
        self.http = http
        self._path = path
        self._name = name
        self._read = read

    async def begin(self, wish: JsonObject, patience: float = 0.0) -> W:
        """Have something done; the server may need ``patience`` seconds to answer."""
        within = max(self.http.timeout, patience)
        return await self._ask("POST", self._path, json=wish, answer_within=within)

    async def get(self, identity: str) -> W:
        """How one stands.

        :raises NotFound: there is none of that id.
        """
        return await self._ask("GET", self._one(identity))

    async def list(self, query: Sequence[tuple[str, str]] = ()) -> AsyncGenerator[W, None]:
        """All that the server remembers, the newest first."""
        after: str | None = ""
        while after is not None:
            asked = [*query, ("after", after)] if after else query
            _, body = await self.http.call("GET", self.http.url(self._path, asked))
            found, after = understood(self._page, json_of(body))
            for one in found:
                yield one

    async def cancel(self, identity: str) -> W:
        """End one.

        :raises NotFound: there is none of that id.
        :raises WrongState: it is done.
        """
        return await self._ask("DELETE", self._one(identity))

    async def retry(self, identity: str) -> W:
        """Let one that failed or was cancelled go on, or one that waits do so at once.

        :raises NotFound: there is none of that id.
        :raises WrongState: it is under way, or done.
        """
        return await self._ask("POST", f"{self._one(identity)}/retry")

    async def watch(self, identity: str) -> AsyncGenerator[W, None]:
        """How one stands, again whenever that changes, until it has ended.

        A broken connection and a server that was restarted are overcome. Close the generator if
        you leave it early.

        :raises NotFound: there is none of that id.
        """
        backoff = self.http.backoff()
        while True:
            heard = False
            try:
                async with aclosing(self._events(identity)) as events:
                    async for event in events:
                        heard = True
                        one = understood(self._read, json_of(event.data.encode()))
                        yield one
                        if one.has_ended:
                            return
                error: PenstockError = ServerUnavailable(f"{self.http.base} ended the events")
            except PenstockError as failed:
                error = failed
            await self.http.retry(backoff, error, progressed=heard)

    async def _events(self, identity: str) -> AsyncGenerator[Event, None]:
        """One stream of events."""
        url = self.http.url(f"{self._one(identity)}/events")
        patience = max(self.http.timeout, SILENCE)
        reader = EventReader()
        async with self.http.request("GET", url, answer_within=patience) as response:
            while data := await response.content.readany():
                for event in reader.feed(data):
                    yield event

    async def _ask(self, method: str, path: str, **options: Any) -> W:
        _, body = await self.http.call(method, self.http.url(path), **options)
        return understood(self._read, json_of(body))

    def _one(self, identity: str) -> str:
        return f"{self._path}/{quote(identity, safe='')}"

    def _page(self, document: JsonObject) -> tuple[Sequence[W], str | None]:
        return [self._read(one) for one in document[self._name]], document["next"]


def time_of(told: str | None) -> datetime | None:
    """A time, if there is one."""
    return None if told is None else datetime.fromisoformat(told)


def trouble_of(told: JsonObject | None) -> PenstockError | None:
    """Why an attempt failed, if one did."""
    return None if told is None else error_class(told["code"])(told["detail"])


def trouble_json(error: PenstockError | None) -> dict[str, str] | None:
    """What :func:`trouble_of` was made of."""
    return None if error is None else {"code": error.code, "detail": error.detail}
