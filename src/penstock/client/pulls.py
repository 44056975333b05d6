"""Pulls: files of other servers that the server fetches by itself, in the background."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from penstock.client.answers import FileInfo, JsonObject, rfc3339
from penstock.client.background import Background, time_of, trouble_json, trouble_of
from penstock.client.http import Http
from penstock.client.progress import Progress, no_progress
from penstock.errors import Cancelled, PenstockError


@dataclass(frozen=True, slots=True)
class PullInfo:
    """One pull as the server describes it.

    ``state`` is ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``. ``url`` is the
    source's without credentials and query. ``received`` and ``size`` are bytes, ``rate`` bytes per
    second, ``eta`` seconds to go; what is not known is ``None``. ``cancelling``: somebody asked
    for its end. ``next_try`` is when a source that was in trouble is asked again. ``file`` is what
    was stored in the end, ``error`` why the last attempt failed.
    """

    id: str
    state: str
    url: str
    key: str
    received: int
    size: int | None
    rate: float | None
    eta: float | None
    attempts: int
    cancelling: bool
    created: datetime
    started: datetime | None
    ended: datetime | None
    next_try: datetime | None
    file: FileInfo | None
    error: PenstockError | None

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the Pull object of the API."""
        file = document["file"]
        return cls(
            id=str(document["id"]),
            state=str(document["state"]),
            url=str(document["url"]),
            key=str(document["key"]),
            received=int(document["received"]),
            size=document["size"],
            rate=document["rate"],
            eta=document["eta"],
            attempts=int(document["attempts"]),
            cancelling=bool(document["cancelling"]),
            created=datetime.fromisoformat(document["created"]),
            started=time_of(document["started"]),
            ended=time_of(document["ended"]),
            next_try=time_of(document["next_try"]),
            file=None if file is None else FileInfo.from_json(file),
            error=trouble_of(document["error"]),
        )

    def to_json(self) -> dict[str, Any]:
        """The Pull object of the API."""
        return {
            "id": self.id,
            "state": self.state,
            "url": self.url,
            "key": self.key,
            "received": self.received,
            "size": self.size,
            "rate": self.rate,
            "eta": self.eta,
            "attempts": self.attempts,
            "cancelling": self.cancelling,
            "created": rfc3339(self.created),
            "started": self.started and rfc3339(self.started),
            "ended": self.ended and rfc3339(self.ended),
            "next_try": self.next_try and rfc3339(self.next_try),
            "file": self.file and self.file.to_json(),
            "error": trouble_json(self.error),
        }

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more, unless it is retried."""
        return self.ended is not None

    def stored(self) -> FileInfo:
        """The file that it became.

        :raises PenstockError: there is none: it failed, with this error.
        :raises Cancelled: somebody cancelled it.
        """
        if self.file is not None:
            return self.file
        if self.state == "cancelled":
            raise Cancelled(f"the pull of {self.url} was cancelled")
        raise self.error or PenstockError(f"the pull of {self.url} is {self.state}")


class Pulls:
    """The pulls of one server; :attr:`penstock.client.Client.pulls` is one."""

    def __init__(self, http: Http) -> None:
        self._pulls = Background(http, "/v1/pulls", "pulls", PullInfo.from_json)

    async def begin(
        self,
        url: str,
        key: str,
        *,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        sha256: str | None = None,
        overwrite: bool = True,
    ) -> PullInfo:
        """Have the server fetch ``url`` to ``key``; answers at once, the bytes come later.

        ``headers`` go with every request for ``url``. Without ``content_type`` the source's is
        taken. ``sha256`` (64 hex digits) is held against what comes. Without ``overwrite`` nothing
        is replaced. The same request while such a pull has not ended is answered by that one.

        :raises BadRequest: no such URL, key, header or digest can be.
        :raises PreconditionFailed: a file stands at ``key`` that may not be overwritten.
        """
        wish = {
            "url": url,
            "key": key,
            "headers": dict(headers or {}),
            "content_type": content_type,
            "sha256": sha256,
            "overwrite": overwrite,
        }
        return await self._pulls.begin(
            {name: value for name, value in wish.items() if value is not None}
        )

    async def get(self, identity: str) -> PullInfo:
        """How a pull stands.

        :raises NotFound: there is no such pull.
        """
        return await self._pulls.get(identity)

    def list(self) -> AsyncGenerator[PullInfo, None]:
        """All pulls that the server remembers, the newest first."""
        return self._pulls.list()

    async def cancel(self, identity: str) -> PullInfo:
        """End a pull and remove what came of it; one that has failed leaves nothing then.

        :raises NotFound: there is no such pull.
        :raises WrongState: it is done.
        """
        return await self._pulls.cancel(identity)

    async def retry(self, identity: str) -> PullInfo:
        """Let a pull that failed or was cancelled go on, or one that waits do so at once.

        :raises NotFound: there is no such pull.
        :raises WrongState: it is under way, or done.
        """
        return await self._pulls.retry(identity)

    def watch(self, identity: str) -> AsyncGenerator[PullInfo, None]:
        """How a pull stands, again whenever that changes, until it has ended.

        A broken connection and a server that was restarted are overcome. Close the generator if
        you leave it early.

        :raises NotFound: there is no such pull.
        """
        return self._pulls.watch(identity)

    async def finished(self, identity: str, *, progress: Progress = no_progress) -> PullInfo:
        """Wait for the end of a pull; :meth:`PullInfo.stored` tells what became of it.

        :raises NotFound: there is no such pull.
        """
        async with aclosing(self.watch(identity)) as stands:
            async for pull in stands:
                progress(pull.received, pull.size)
                if pull.has_ended:
                    return pull
        raise AssertionError("a watch ends with the end of the pull")
