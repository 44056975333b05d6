"""An archive as it may be shown: what its job tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from penstock.archives.in_store.options import GIB, Prices
from penstock.archives.in_store.wish import Wish
from penstock.jobs import ENDED, Job, State
from penstock.stores.composing import Usage
from penstock.stores.interface import FileInfo


class Made(NamedTuple):
    """What came of an archive: the stored ``file``, which has ``files`` of so many ``bytes``, and
    ``members`` with the empty folders. It was made of ``parts``, of which so many were ``copied``
    inside the store; ``usage`` and ``memory_peak`` (bytes) are what that took."""

    file: FileInfo
    files: int
    members: int
    bytes: int
    parts: int
    copied: int
    usage: Usage
    memory_peak: int


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive as it stood when it was read.

    ``bytes`` are those of the folder when it was listed last, ``done`` and ``size`` those of the
    ZIP, ``rate`` bytes per second, ``eta`` seconds; times are seconds since 1970, ``next_try`` is
    when one goes on that failed in passing.
    ``cancelling``: somebody asked for its end. ``made`` is what came of it in the end, ``error``
    (``code`` and ``detail``) why the last attempt came to nothing. ``revision`` rises with every
    change.
    """

    id: str
    state: State
    wish: Wish
    lane: str
    bytes: int
    done: int
    size: int | None
    files_done: int
    files: int | None
    rate: float | None
    eta: float | None
    attempts: int
    created: float
    started: float | None
    ended: float | None
    next_try: float | None
    cancelling: bool
    made: Made | None
    error: Mapping[str, Any] | None
    revision: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing changes any more, unless somebody has it tried again."""
        return self.state in ENDED

    @property
    def seconds(self) -> float | None:
        """From its first attempt to its end; ``None`` if it has not ended well."""
        if self.made is None or self.started is None or self.ended is None:
            return None
        return self.ended - self.started


def archive_of(job: Job) -> Archive:
    """What a job tells of its archive."""
    made = None if job.result is None else _made(job.result)
    return Archive(
        id=job.id,
        state=job.state,
        wish=Wish.from_spec(job.spec),
        lane=job.lane,
        bytes=job.spec["bytes"] if made is None else made.bytes,
        done=job.done if made is None else made.file.size,
        size=job.total if made is None else made.file.size,
        files_done=job.files_done if made is None else made.files,
        files=job.files_total if made is None else made.files,
        rate=job.rate,
        eta=job.eta,
        attempts=job.attempts,
        created=job.created,
        started=job.started,
        ended=job.ended,
        next_try=job.next_try,
        cancelling=job.cancelling,
        made=made,
        error=job.trouble,
        revision=job.revision,
    )


def result_of(made: Made) -> dict[str, Any]:
    """The result of the job of an archive that is done, as JSON has it."""
    sha256 = None if made.file.sha256 is None else made.file.sha256.hex()
    file = made.file._asdict() | {"sha256": sha256}
    return {**made._asdict(), "file": file, "usage": list(made.usage)}


def cost_of(usage: Usage, prices: Prices) -> float:
    """Dollars for what was used of S3."""
    requests = usage.puts * prices.put + usage.gets * prices.get
    return requests / 1000 + usage.received / GIB * prices.out


def _made(result: Mapping[str, Any]) -> Made:
    file = result["file"]
    sha256 = None if file["sha256"] is None else bytes.fromhex(file["sha256"])
    stored = FileInfo(**{**file, "sha256": sha256})
    return Made(**{**result, "file": stored, "usage": Usage(*result["usage"])})
