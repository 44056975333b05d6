"""A pull as it may be shown: what its job tells, without what may be secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.jobs import ENDED, Job, State
from penstock.remote import redacted
from penstock.stores.interface import FileInfo


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull as it stood when it was read.

    ``source`` is the URL without credentials and query. ``received`` and ``size`` are bytes,
    ``rate`` bytes per second, ``eta`` seconds; times are seconds since 1970, ``next_try`` is when
    one goes on whose source was in trouble. ``cancelling``: somebody asked for its end. ``file``
    is what was stored in the end, ``replaced`` whether another file stood there; ``error``
    (``code`` and ``detail``) is why the last attempt came to nothing. ``revision`` rises with
    every change.
    """

    id: str
    state: State
    source: str
    key: str
    received: int
    size: int | None
    rate: float | None
    eta: float | None
    attempts: int
    created: float
    started: float | None
    ended: float | None
    next_try: float | None
    cancelling: bool
    file: FileInfo | None
    replaced: bool
    error: Mapping[str, Any] | None
    revision: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing changes any more, unless somebody has it tried again."""
        return self.state in ENDED


def pull_of(job: Job) -> Pull:
    """What a job tells of its pull."""
    result = job.result or {}
    file = _file(result["file"]) if result else None
    return Pull(
        id=job.id,
        state=job.state,
        source=redacted(job.spec["url"]),
        key=job.spec["key"],
        received=job.done if file is None else file.size,
        size=job.total if file is None else file.size,
        rate=job.rate,
        eta=job.eta,
        attempts=job.attempts,
        created=job.created,
        started=job.started,
        ended=job.ended,
        next_try=job.next_try,
        cancelling=job.cancelling,
        file=file,
        replaced=result.get("replaced", False),
        error=job.trouble,
        revision=job.revision,
    )


def result_of(file: FileInfo, *, replaced: bool) -> dict[str, Any]:
    """The result of the job of a pull that is done, as JSON has it."""
    sha256 = None if file.sha256 is None else file.sha256.hex()
    return {"file": file._asdict() | {"sha256": sha256}, "replaced": replaced}


def _file(told: Mapping[str, Any]) -> FileInfo:
    sha256 = None if told["sha256"] is None else bytes.fromhex(told["sha256"])
    return FileInfo(**{**told, "sha256": sha256})
