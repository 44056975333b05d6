"""Abilities of a store: bytes go straight between it and whoever wants or has them."""

from collections.abc import (
    Mapping,
    Sequence,
)
from typing import NamedTuple, Protocol, runtime_checkable

from penstock.stores.interface import FileInfo


@runtime_checkable
class Presigns(Protocol):
    """Ability: links that let whoever has them fetch one file from the store itself."""

    async def presigned(self, key: str, expires: float, *, file_name: str = "") -> str:
        """A URL that is good for ``expires`` seconds; it is saved as ``file_name``.

        :raises BadRequest: nothing can be signed here, or not for so long.
        """

    def direct_url(self, key: str) -> str:
        """The URL of the file for those who may read it without, or by their own, signature."""


class SentPart(NamedTuple):
    """A part that the store has of a file: its number, from 1 on, its ETag and its bytes."""

    number: int
    etag: str
    size: int


class Form(NamedTuple):
    """Where a form with one file may be posted, and its fields, which go before the file."""

    url: str
    fields: Mapping[str, str]


class DirectUploads(Protocol):
    """Uploads whose bytes do not pass through this process: the store itself takes them.

    An upload in parts is named by its key and by what :meth:`begin` answered. One that nobody goes
    on with is removed some time later. All raise ``NotFound`` if no such upload is under way.
    """

    @property
    def most_parts(self) -> int:
        """A part's number is this at most."""

    async def begin(self, key: str, content_type: str, metadata: Mapping[str, str]) -> str:
        """Begin an upload in parts; answers what names it.

        :raises BadRequest: ``metadata`` cannot be kept.
        """

    async def parts(self, key: str, upload: str) -> Sequence[SentPart]:
        """What came so far, by number."""

    async def part_urls(
        self, key: str, upload: str, numbers: Sequence[int], expires: float
    ) -> Sequence[str]:
        """Where each of these parts may be put (PUT) for ``expires`` seconds."""

    async def complete(
        self, key: str, upload: str, parts: Sequence[tuple[int, str]], most: int
    ) -> FileInfo:
        """Make a file of the parts (number, ETag), and store it at the key.

        :raises BadRequest: these parts did not come, or they make no file.
        :raises TooLarge: it would have more than ``most`` bytes; the upload is gone.
        """

    async def abort(self, key: str, upload: str) -> None:
        """End an upload, and drop what came."""

    async def form(
        self, key: str, content_type: str, metadata: Mapping[str, str], most: int, expires: float
    ) -> Form | None:
        """Where a file of ``most`` bytes at most may be posted for ``expires`` seconds.

        ``None`` if the store takes no forms. Raises as :meth:`begin` does.
        """


@runtime_checkable
class TakesDirectUploads(Protocol):
    """Ability: who has links sends a file to the store itself."""

    @property
    def direct(self) -> DirectUploads: ...
