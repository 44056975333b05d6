"""A planned ZIP: its plan, where each member's bytes are, and which version of them is meant."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from penstock.archives.selection import OnError, Selection
from penstock.errors import SourceChanged
from penstock.remote import RemoteFile
from penstock.stores.interface import FileInfo
from penstock.zipstream import Learned, Plan


class Failure(NamedTuple):
    """A member that could not be had: what it was to be called, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlannedZip:
    """A ZIP that is ready to be sent.

    First come the stored files, then the remote ones, then what a report needs. A key is kept
    only where it cannot be told from the entry's name.
    """

    selection: Selection
    plan: Plan
    base: str
    renamed: dict[int, str]
    stored: int
    """How many members are stored files."""
    remotes: Sequence[RemoteFile] = ()
    failures: Sequence[Failure] = ()
    """Members that were left out, because the selection asks for a report."""
    pinned: bool = True
    """Whether the same request gives the same bytes: every source names its version."""
    learned: Learned = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "learned", Learned(self.plan))

    @property
    def members(self) -> int:
        """How many entries are files somebody asked for."""
        return self.stored + len(self.remotes)

    @property
    def exact(self) -> bool:
        """Whether every byte's place is known, so that there are a length and ranges."""
        return self.plan.size is not None

    @property
    def reports(self) -> bool:
        """Whether members that cannot be had are left out, and reported at the end."""
        return self.selection.on_error is OnError.REPORT

    def key(self, index: int) -> str:
        """The key of a stored member."""
        return self.renamed.get(index) or self.base + self.plan.name(index)

    def require(self, index: int, info: FileInfo) -> None:
        """Hold what is stored now against what was planned.

        :raises SourceChanged: the member is another version by now.
        """
        if token_of(info.etag) != self.plan.token(index) or info.size != self.plan.size_of(index):
            raise SourceChanged(
                f"{info.key!r} changed since the ZIP was begun; start the download again"
            )


def token_of(version: str) -> int:
    """64 bits that stand for a version in the plan."""
    return int.from_bytes(blake2b(version.encode(), digest_size=8).digest(), "big")
