"""Archives: folders that the server makes into ZIPs inside its store, in the background."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, Self

from penstock.client.answers import FileInfo, JsonObject, rfc3339, understood
from penstock.client.background import Background, time_of, trouble_json, trouble_of
from penstock.client.http import Http, json_of
from penstock.client.progress import Progress, no_progress
from penstock.errors import Cancelled, PenstockError

Link = Literal["direct", "presigned", "public"]


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """What work on a store takes: requests that S3 asks the price of a PUT for (PUT, COPY, POST,
    LIST), those paid as GET, and the bytes that pass through the server, in and out."""

    puts: int
    gets: int
    received: int
    sent: int

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the usage of the API."""
        return cls(*(int(document[name]) for name in ("puts", "gets", "received", "sent")))


@dataclass(frozen=True, slots=True)
class ArchivePlan:
    """What an archive would take.

    ``files``, and ``folders`` that are empty, with ``bytes`` together become an archive of
    ``size`` bytes; ``parts`` is how many the store puts together. ``seconds`` is an estimate,
    ``cost`` dollars.
    """

    prefix: str
    key: str
    files: int
    folders: int
    bytes: int
    size: int
    lane: str
    parts: int
    usage: StoreUsage
    seconds: float
    cost: float

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the ArchivePlan object of the API."""
        return cls(
            prefix=str(document["prefix"]),
            key=str(document["key"]),
            files=int(document["files"]),
            folders=int(document["folders"]),
            bytes=int(document["bytes"]),
            size=int(document["size"]),
            lane=str(document["lane"]),
            parts=int(document["parts"]),
            usage=StoreUsage.from_json(document["usage"]),
            seconds=float(document["seconds"]),
            cost=float(document["cost"]),
        )

    def to_json(self) -> dict[str, Any]:
        """The ArchivePlan object of the API."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ArchiveInfo:
    """One archive as the server describes it.

    ``state`` is ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``. ``done`` and
    ``size`` are bytes of the ZIP, ``rate`` bytes per second, ``eta`` seconds to go; what is not
    known is ``None``. ``cancelling``: somebody asked for its end. ``next_try`` is when one goes on
    that failed in passing, ``error`` why the last attempt failed.

    Once it is done ``archive`` is the stored file, ``link`` where to fetch it (relative to the
    server if it begins with a slash) and ``link_expires`` how long that works; ``members`` counts
    its files and empty folders, ``seconds`` is how long it took, ``usage`` and ``cost`` (dollars)
    what, and ``memory_peak`` the most bytes that waited in memory.
    """

    id: str
    state: str
    prefix: str
    key: str
    lane: str
    done: int
    size: int | None
    files_done: int
    files: int | None
    rate: float | None
    eta: float | None
    attempts: int
    cancelling: bool
    created: datetime
    started: datetime | None
    ended: datetime | None
    next_try: datetime | None
    archive: FileInfo | None
    link: str | None
    link_expires: datetime | None
    tags: Mapping[str, str]
    members: int | None
    parts: int | None
    copied: int | None
    seconds: float | None
    usage: StoreUsage | None
    cost: float | None
    memory_peak: int | None
    error: PenstockError | None

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the Archive object of the API."""
        archive, usage = document["archive"], document["usage"]
        members: dict[str, Any] = {name: document[name] for name in _PLAIN}
        members.update((name, time_of(document[name])) for name in _TIMES)
        return cls(
            **members,
            created=datetime.fromisoformat(document["created"]),
            archive=None if archive is None else FileInfo.from_json(archive),
            usage=None if usage is None else StoreUsage.from_json(usage),
            error=trouble_of(document["error"]),
        )

    def to_json(self) -> dict[str, Any]:
        """The Archive object of the API."""
        times = {name: getattr(self, name) for name in _TIMES}
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            **{name: time and rfc3339(time) for name, time in times.items()},
            "created": rfc3339(self.created),
            "archive": self.archive and self.archive.to_json(),
            "usage": self.usage and asdict(self.usage),
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
        if self.archive is not None:
            return self.archive
        if self.state == "cancelled":
            raise Cancelled(f"the archive of {self.prefix!r} was cancelled")
        raise self.error or PenstockError(f"the archive of {self.prefix!r} is {self.state}")


class Archives:
    """The archives of one server; :attr:`penstock.client.Client.archives` is one.

    A folder is named as ``photos/2024/``, or as ``s3://bucket/photos/2024/`` if that is where the
    server stores.
    """

    def __init__(self, http: Http) -> None:
        self._archives = Background(http, _ARCHIVES, "archives", ArchiveInfo.from_json)

    async def plan(self, folder: str, key: str | None = None) -> ArchivePlan:
        """What the archive of a folder would take; nothing is begun.

        :raises NotFound: there is nothing in the folder.
        :raises BadRequest: it is not a folder of this server's store.
        :raises TooLarge: there are too many files in it.
        """
        http = self._archives.http
        url = http.url(f"{_ARCHIVES}/plan")
        within = max(http.timeout, _LISTING)
        wish = _wish(prefix=folder, key=key)
        _, body = await http.call("POST", url, json=wish, answer_within=within)
        return understood(ArchivePlan.from_json, json_of(body))

    async def begin(
        self,
        folder: str,
        key: str | None = None,
        *,
        overwrite: bool = True,
        tags: Mapping[str, str] | None = None,
        link: Link | None = None,
        link_expiry: float | None = None,
    ) -> ArchiveInfo:
        """Have the server archive a folder to ``key``; answers at once, the ZIP is made later.

        Without ``key`` the server names it. Without ``overwrite`` nothing is replaced. ``tags``
        are put on the archive where the store has tags. ``link`` (and for presigned ones
        ``link_expiry``, seconds) is how it is linked to; by default as the operator chose. The
        same request is answered by the same archive until the folder has changed, if that is
        unfinished or was done lately.

        :raises NotFound: there is nothing in the folder.
        :raises BadRequest: it is not a folder of this server's store, or no such key, tag or link
            can be.
        :raises TooLarge: there are too many files in it.
        :raises PreconditionFailed: a file stands at ``key`` that may not be overwritten.
        """
        return await self._archives.begin(
            _wish(
                prefix=folder,
                key=key,
                overwrite=overwrite,
                tags=dict(tags or {}),
                link=link,
                link_expiry=link_expiry,
            ),
            _LISTING,
        )

    async def get(self, identity: str) -> ArchiveInfo:
        """How an archive stands; a link in it is made anew.

        :raises NotFound: there is no such archive.
        """
        return await self._archives.get(identity)

    def list(self) -> AsyncGenerator[ArchiveInfo, None]:
        """All archives that the server remembers, the newest first."""
        return self._archives.list()

    async def cancel(self, identity: str) -> ArchiveInfo:
        """End an archive and remove what came of it; one that has failed leaves nothing then.

        :raises NotFound: there is no such archive.
        :raises WrongState: it is done.
        """
        return await self._archives.cancel(identity)

    async def retry(self, identity: str) -> ArchiveInfo:
        """Let an archive that failed or was cancelled go on, or one that waits do so at once.

        :raises NotFound: there is no such archive.
        :raises WrongState: it is under way, or done.
        """
        return await self._archives.retry(identity)

    def watch(self, identity: str) -> AsyncGenerator[ArchiveInfo, None]:
        """How an archive stands, again whenever that changes, until it has ended.

        A broken connection and a server that was restarted are overcome. Close the generator if
        you leave it early.

        :raises NotFound: there is no such archive.
        """
        return self._archives.watch(identity)

    async def finished(self, identity: str, *, progress: Progress = no_progress) -> ArchiveInfo:
        """Wait for the end of an archive; :meth:`ArchiveInfo.stored` tells what became of it.

        :raises NotFound: there is no such archive.
        """
        async with aclosing(self.watch(identity)) as stands:
            async for archive in stands:
                progress(archive.done, archive.size)
                if archive.has_ended:
                    return archive
        raise AssertionError("a watch ends with the end of the archive")


_ARCHIVES = "/v1/archives"
_LISTING = 600.0
"""Seconds that the server may need to list a folder: S3 tells some thousand files a second."""
_TIMES = ("started", "ended", "next_try", "link_expires")
_PLAIN = (
    *("id", "state", "prefix", "key", "lane", "done", "size", "files_done", "files", "rate", "eta"),
    *("attempts", "cancelling", "link", "tags", "members", "parts", "copied", "seconds", "cost"),
    "memory_peak",
)


def _wish(**members: object) -> dict[str, object]:
    """The request, without what is left to the server."""
    return {name: value for name, value in members.items() if value is not None}
