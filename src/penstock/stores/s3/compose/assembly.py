"""The objects that a composition makes, and how far each has come."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from penstock.stores.s3.compose.covering import Leaf, Made, Piece
from penstock.stores.s3.documents import Part


class Assembly:
    """One multipart upload: of the file, or of a temporary object that is a part of another.

    ``have`` are the parts that S3 has, by number. ``upload`` is empty until it is begun, and
    ``etag`` until it is an object.
    """

    def __init__(
        self,
        name: str,
        parts: Sequence[Piece],
        *,
        upload: str = "",
        within: "tuple[Assembly, int] | None" = None,
    ) -> None:
        self.name = name
        self.parts = parts
        self.upload = upload
        self.within = within
        self.etag = ""
        self.have: dict[int, Part] = {}
        self.begun = asyncio.Lock()
        self._inner: dict[int, Assembly] = {}

    @property
    def start(self) -> int:
        return self.parts[0].start

    @property
    def stop(self) -> int:
        return self.parts[-1].stop

    @property
    def span(self) -> str:
        """Names it among the temporary objects of one composition."""
        return f"{self.start}-{self.stop}"

    @property
    def is_full(self) -> bool:
        """Whether S3 has every part."""
        return len(self.have) == len(self.parts)

    def inner(self, number: int, folder: str) -> "Assembly":
        """The temporary object that is the part ``number``, below ``folder``."""
        if number not in self._inner:
            made = self.parts[number - 1]
            assert isinstance(made, Made)
            name = f"{folder}{made.start}-{made.stop}"
            self._inner[number] = Assembly(name, made.parts, within=(self, number))
        return self._inner[number]

    def drop_inner(self, number: int) -> None:
        """Forget it: it is a part by now."""
        self._inner.pop(number, None)


class Task(NamedTuple):
    """A part that is to be made."""

    assembly: Assembly
    number: int
    piece: Leaf


def missing(assembly: Assembly, folder: str, kind: type[Leaf]) -> Iterator[Task]:
    """The parts of a kind that S3 has not yet, in order."""
    for number, piece in enumerate(assembly.parts, 1):
        if number in assembly.have:
            continue
        if isinstance(piece, Made):
            yield from missing(assembly.inner(number, folder), folder, kind)
        elif isinstance(piece, kind):
            yield Task(assembly, number, piece)
