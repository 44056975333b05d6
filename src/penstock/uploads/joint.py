"""The parts of one group as their readers see them: one upload that grows at its end.

Such parts lie in one file, each from its own start on. So what is there from the first byte on
without a gap can be read before they are joined.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

from penstock.catalog.ledger import UploadRow
from penstock.uploads import files
from penstock.uploads.upload import Kind, State


class Joint(NamedTuple):
    """``row`` is of an upload that is in no ledger: its id is the name of the file, its parts are
    those that have the bytes it tells of. ``members`` are the ids of all uploads behind it."""

    row: UploadRow
    members: tuple[str, ...]


def shares_a_file(row: UploadRow) -> bool:
    """Whether the upload lies in the file of a group."""
    return bool(row.part_group) and not row.generation


def as_one(rows: Sequence[UploadRow]) -> Joint | None:
    """The uploads of a group as one; ``None`` if there are none."""
    if not rows:
        return None
    finals = [row for row in rows if row.kind == Kind.FINAL]
    parts = sorted((row for row in rows if row.kind == Kind.PARTIAL), key=lambda row: row.start)
    final = max(finals, key=lambda row: row.created, default=None)
    known = final or parts[0]
    offset, whole = _without_gap(parts)
    if final is not None and final.state in (State.FINISHING, State.DONE):
        offset = final.offset
    row = known._replace(
        id=files.group_name(known),
        kind=Kind.WHOLE,
        state=State.OPEN if final is None else final.state,
        offset=offset,
        length=None,
        parts=json.dumps(whole),
        start=0,
        expires=max(row.expires for row in rows),
        token=0,
    )
    return Joint(row, tuple(row.id for row in rows))


def _without_gap(parts: Sequence[UploadRow]) -> tuple[int, list[str]]:
    """How many bytes are there from the first on, and the parts that have them."""
    at, found = 0, []
    for part in parts:
        if part.start != at:
            break
        found.append(part.id)
        at += part.offset
    return at, found


def goes_on(before: UploadRow, after: UploadRow) -> bool:
    """Whether all bytes that ``before`` told of are still the same in ``after``."""
    if after.state in (State.FINISHING, State.DONE, State.FAILED):
        return True  # the parts are joined, and forgotten one after the other; or all is in vain
    had, has = json.loads(before.parts), json.loads(after.parts)
    return after.offset >= before.offset and has[: len(had)] == had
