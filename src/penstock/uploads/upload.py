"""What an upload is: how it was begun, how it stands, and how it ended."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from penstock.catalog.ledger import UploadRow
from penstock.errors import PenstockError, error_class
from penstock.stores.interface import ALWAYS, Condition, FileInfo


class State(StrEnum):
    """``FINISHING``: all bytes are there and are being stored at their key."""

    OPEN = "open"
    FINISHING = "finishing"
    DONE = "done"
    FAILED = "failed"


class Kind(StrEnum):
    """``FINAL`` is put together from ``PARTIAL`` ones (tus concatenation)."""

    WHOLE = "whole"
    PARTIAL = "partial"
    FINAL = "final"


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """What an upload shall become.

    ``length`` is bytes, ``None`` while nobody knows. ``metadata`` and ``concat`` are what the
    protocol gives and gets back. ``sha256`` (32 bytes) is held against the whole. ``condition``
    is about the file that stands at the key in the end. ``parts`` are the ids of a final one in
    their order. Parts with the same ``group`` are pieces of one file, this one from the byte
    ``start`` on. ``plain``: begun by a plain PUT. ``owner``: who alone may see it and go on with
    it; empty, whoever knows the id.
    """

    key: str = ""
    length: int | None = None
    kind: Kind = Kind.WHOLE
    parts: tuple[str, ...] = ()
    content_type: str | None = None
    metadata: str = ""
    concat: str = ""
    sha256: bytes | None = None
    condition: Condition = ALWAYS
    group: str = ""
    start: int = 0
    plain: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an upload ended: the stored file, or why there is none. A part has neither.

    ``replaced``: another file stood at the key before.
    """

    file: FileInfo | None = None
    error: PenstockError | None = None
    replaced: bool = False

    def to_json(self) -> str:
        """As it is kept in the catalog."""
        document: dict[str, object] = {"replaced": self.replaced}
        if self.file is not None:
            sha256 = None if self.file.sha256 is None else self.file.sha256.hex()
            document["file"] = self.file._asdict() | {"sha256": sha256}
        if self.error is not None:
            document["error"] = {"code": self.error.code, "detail": self.error.detail}
        return json.dumps(document)

    @classmethod
    def from_json(cls, text: str) -> "Outcome":
        """As it was put by :meth:`to_json`."""
        document = json.loads(text)
        file = error = None
        if (found := document.get("file")) is not None:
            sha256 = None if found["sha256"] is None else bytes.fromhex(found["sha256"])
            file = FileInfo(**{**found, "sha256": sha256})
        if (failed := document.get("error")) is not None:
            error = error_class(failed["code"])(failed["detail"])
        return cls(file, error, document["replaced"])


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as it stood when the catalog was asked.

    ``offset`` bytes of it are durable; that number never falls. ``expires`` and ``created`` are
    seconds since 1970. ``active``: some request holds it now.
    """

    id: str
    state: State
    kind: Kind
    key: str
    offset: int
    length: int | None
    content_type: str | None
    metadata: str
    concat: str
    parts: tuple[str, ...]
    sha256: bytes | None
    condition: Condition
    owner: str
    group: str
    start: int
    plain: bool
    created: float
    expires: float
    active: bool
    outcome: Outcome | None = field(default=None)

    @property
    def ended(self) -> bool:
        """Whether nothing can be added any more."""
        return self.state in (State.DONE, State.FAILED)

    def result(self) -> FileInfo | None:
        """The stored file of a done upload; ``None`` for a part.

        :raises PenstockError: the upload failed, with this error.
        """
        if self.outcome is None:
            return None
        if self.outcome.error is not None:
            raise self.outcome.error
        return self.outcome.file


def from_row(row: UploadRow) -> Upload:
    """The upload that a row of the catalog tells of."""
    condition = json.loads(row.condition)
    return Upload(
        id=row.id,
        state=State(row.state),
        kind=Kind(row.kind),
        key=row.key,
        offset=row.offset,
        length=row.length,
        content_type=row.content_type,
        metadata=row.metadata,
        concat=row.concat,
        parts=tuple(json.loads(row.parts)),
        sha256=row.sha256,
        condition=Condition(**{**condition, "etags": tuple(condition["etags"])}),
        owner=row.owner,
        group=row.part_group,
        start=row.start,
        plain=row.plain,
        created=row.created,
        expires=row.expires,
        active=row.holder is not None,
        outcome=None if row.outcome is None else Outcome.from_json(row.outcome),
    )


def new_row(identity: str, wish: Creation, *, now: float, expires: float) -> UploadRow:
    """The row of an upload that is about to begin."""
    return UploadRow(
        id=identity,
        state=State.OPEN,
        kind=wish.kind,
        key=wish.key,
        offset=0,
        length=wish.length,
        content_type=wish.content_type,
        metadata=wish.metadata,
        concat=wish.concat,
        parts=json.dumps(wish.parts),
        sha256=wish.sha256,
        condition=json.dumps(asdict(wish.condition)),
        owner=wish.owner,
        part_group=wish.group,
        start=wish.start,
        plain=wish.plain,
        generation=0,
        created=now,
        expires=expires,
        holder=None,
        token=0,
        wanted=0,
        outcome=None,
        ahead=None,
    )
