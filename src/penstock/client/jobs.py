"""Jobs: all work that the server does in the background, and the lanes it goes in."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

from penstock.client.answers import JsonObject, rfc3339, understood
from penstock.client.background import Background, time_of, trouble_json, trouble_of
from penstock.client.http import Http, json_of
from penstock.errors import PenstockError

_JOBS = "/v1/jobs"
_LANES = "/v1/lanes"


@dataclass(frozen=True, slots=True)
class JobInfo:
    """One job as the server describes it.

    ``kind`` is what sort of work it is (``pull``, ``archive``), ``title`` what it is about.
    ``state`` is ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``. ``done`` and
    ``total`` are bytes, ``rate`` bytes per second, ``eta`` seconds to go; what is not known is
    ``None``. ``cancelling``: somebody asked for its end. ``next_try`` is when it may be begun
    again, if it waits after an attempt. ``error`` is why the last attempt failed.
    """

    id: str
    kind: str
    title: str
    state: str
    lane: str
    done: int
    total: int | None
    files_done: int
    files_total: int | None
    rate: float | None
    eta: float | None
    attempts: int
    cancelling: bool
    created: datetime
    started: datetime | None
    ended: datetime | None
    next_try: datetime | None
    error: PenstockError | None

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the Job object of the API."""
        return cls(
            id=str(document["id"]),
            kind=str(document["kind"]),
            title=str(document["title"]),
            state=str(document["state"]),
            lane=str(document["lane"]),
            done=int(document["done"]),
            total=document["total"],
            files_done=int(document["files_done"]),
            files_total=document["files_total"],
            rate=document["rate"],
            eta=document["eta"],
            attempts=int(document["attempts"]),
            cancelling=bool(document["cancelling"]),
            created=datetime.fromisoformat(document["created"]),
            started=time_of(document["started"]),
            ended=time_of(document["ended"]),
            next_try=time_of(document["next_try"]),
            error=trouble_of(document["error"]),
        )

    def to_json(self) -> dict[str, Any]:
        """The Job object of the API."""
        return {
            **{name: getattr(self, name) for name in self.__slots__},
            "created": rfc3339(self.created),
            "started": self.started and rfc3339(self.started),
            "ended": self.ended and rfc3339(self.ended),
            "next_try": self.next_try and rfc3339(self.next_try),
            "error": trouble_json(self.error),
        }

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more, unless it is retried."""
        return self.ended is not None


@dataclass(frozen=True, slots=True)
class Lane:
    """How many jobs a lane has in each state; none that waits is begun while it is ``paused``."""

    name: str
    paused: bool
    waiting: int
    running: int
    done: int
    failed: int
    cancelled: int

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the Lane object of the API."""
        counts = ("waiting", "running", "done", "failed", "cancelled")
        return cls(
            name=str(document["name"]),
            paused=bool(document["paused"]),
            **{name: int(document[name]) for name in counts},
        )

    def to_json(self) -> dict[str, Any]:
        """The Lane object of the API."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a job's log; ``number`` counts from 1."""

    number: int
    at: datetime
    text: str

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read one of the lines that the API tells."""
        at = datetime.fromisoformat(document["at"])
        return cls(int(document["number"]), at, str(document["text"]))

    def to_json(self) -> dict[str, Any]:
        """The line as the API tells it."""
        return {"number": self.number, "at": rfc3339(self.at), "text": self.text}


class Jobs:
    """The jobs of one server; :attr:`penstock.client.Client.jobs` is one."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._jobs = Background(http, _JOBS, "jobs", JobInfo.from_json)

    def list(
        self, *, state: str | None = None, kind: str | None = None
    ) -> AsyncGenerator[JobInfo, None]:
        """All jobs that the server remembers, the newest first; only those in ``state``, of
        ``kind``.

        :raises BadRequest: there is no such state.
        """
        wanted = (("state", state), ("kind", kind))
        return self._jobs.list([(name, value) for name, value in wanted if value is not None])

    async def get(self, identity: str) -> JobInfo:
        """How a job stands.

        :raises NotFound: there is no such job.
        """
        return await self._jobs.get(identity)

    async def log(self, identity: str) -> Sequence[LogLine]:
        """The newest 200 lines of a job's log, the oldest first.

        :raises NotFound: there is no such job.
        """
        url = self._http.url(f"{_JOBS}/{quote(identity, safe='')}/log")
        _, body = await self._http.call("GET", url)
        return understood(_lines, json_of(body))

    def watch(self, identity: str) -> AsyncGenerator[JobInfo, None]:
        """How a job stands, again whenever that changes, until it has ended.

        A broken connection and a server that was restarted are overcome. Close the generator if
        you leave it early.

        :raises NotFound: there is no such job.
        """
        return self._jobs.watch(identity)

    async def cancel(self, identity: str) -> JobInfo:
        """End a job and remove what it left; ``cancelling`` until that is done.

        :raises NotFound: there is no such job.
        :raises WrongState: it is done, or has failed.
        """
        return await self._jobs.cancel(identity)

    async def retry(self, identity: str) -> JobInfo:
        """Let a job that failed or was cancelled go on, or one that waits do so at once.

        :raises NotFound: there is no such job.
        :raises WrongState: it is under way, or done.
        """
        return await self._jobs.retry(identity)

    async def lanes(self) -> Sequence[Lane]:
        """Every lane by name, with how many jobs it has in each state."""
        _, body = await self._http.call("GET", self._http.url(_LANES))
        return understood(_all_lanes, json_of(body))

    async def pause(self, lane: str) -> Lane:
        """Let no job of the lane that waits be begun, until it is resumed; those that run go on.

        :raises NotFound: there is no such lane.
        """
        return await self._change(lane, paused=True)

    async def resume(self, lane: str) -> Lane:
        """Let the jobs of a paused lane be begun again.

        :raises NotFound: there is no such lane.
        """
        return await self._change(lane, paused=False)

    async def _change(self, lane: str, *, paused: bool) -> Lane:
        url = self._http.url(f"{_LANES}/{quote(lane, safe='')}")
        _, body = await self._http.call("PUT", url, json={"paused": paused})
        return understood(Lane.from_json, json_of(body))


def _lines(document: JsonObject) -> Sequence[LogLine]:
    return [LogLine.from_json(one) for one in document["lines"]]


def _all_lanes(document: JsonObject) -> Sequence[Lane]:
    return [Lane.from_json(one) for one in document["lanes"]]
