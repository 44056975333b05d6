"""What an earlier attempt has made already, which is not made again."""

from collections.abc import Sequence

from penstock.stores.composing import Blueprint
from penstock.stores.s3.abilities import Abilities
from penstock.stores.s3.calls import Calls
from penstock.stores.s3.compose.assembly import Assembly
from penstock.stores.s3.compose.covering import Copy, Made, Piece, leaves
from penstock.stores.s3.compose.keeping import Kept
from penstock.stores.s3.documents import ListedPart, Part, crc32_of
from penstock.stores.s3.trouble import Broken, Refused


class Finding:
    """Looks an assembly through, and the temporary objects that were begun for it.

    ``leaves`` counts what was found, ``size`` its bytes. ``full`` are the temporary objects that
    are complete, or need but be completed.
    """

    def __init__(
        self, calls: Calls, able: Abilities, blueprint: Blueprint, kept: Kept, folder: str
    ) -> None:
        self._calls = calls
        self._able = able
        self._blueprint = blueprint
        self._kept = kept
        self._folder = folder
        self.leaves = 0
        self.size = 0
        self.full: list[Assembly] = []

    async def find(self, assembly: Assembly) -> None:
        """:raises Refused: its upload is gone (404); or as :meth:`Client.call` does."""
        for listed in await self._calls.list_parts(assembly.name, assembly.upload):
            if 1 <= listed.number <= len(assembly.parts):
                self._take(assembly, listed)
        for number, piece in enumerate(assembly.parts, 1):
            if isinstance(piece, Made) and number not in assembly.have:
                await self._find_made(assembly.inner(number, self._folder))

    def _take(self, assembly: Assembly, listed: ListedPart) -> None:
        piece = assembly.parts[listed.number - 1]
        # One server lists no ETag of what was copied without a range.
        if listed.size != piece.stop - piece.start or not listed.etag:
            return
        if isinstance(piece, Copy) and self._able.copy_crc32 and listed.crc32 is not None:
            self._kept.crc32s[piece.start] = _value(listed.crc32)
        if self._tell([piece]):
            assembly.have[listed.number] = Part(listed.number, listed.etag, listed.crc32)
            self._count([piece])

    async def _find_made(self, made: Assembly) -> None:
        made.upload = self._kept.made.get(made.span, "")
        if not made.upload:
            return
        try:
            await self.find(made)
        except Refused as error:
            if error.status != 404:
                raise
            await self._find_object(made)
        if made.is_full:
            self.full.append(made)

    async def _find_object(self, made: Assembly) -> None:
        """Its upload is gone: it is an object by now, or is to be begun anew."""
        try:
            head = await self._calls.head(made.name)
        except Refused as error:
            if not error.absent:
                raise
            head = None
        if head and head.size == made.stop - made.start and self._tell(made.parts):
            made.etag = head.etag
            made.have = {number: Part(number, "") for number in range(1, len(made.parts) + 1)}
            self._count(made.parts)
        else:
            made.upload = ""
            del self._kept.made[made.span]

    def _tell(self, pieces: Sequence[Piece]) -> bool:
        """Tell the CRC-32s of what was copied; whether they are known, where they must be."""
        if not self._able.copy_crc32:
            return True
        copies = [leaf for leaf in leaves(pieces) if isinstance(leaf, Copy)]
        known = self._kept.crc32s
        if any(copy.start not in known for copy in copies):
            return False
        for copy in copies:
            self._blueprint.copied(copy.stretch, copy.start, copy.stop, known[copy.start])
        return True

    def _count(self, pieces: Sequence[Piece]) -> None:
        for leaf in leaves(pieces):
            self.leaves += 1
            self.size += leaf.stop - leaf.start


def _value(field: str) -> int:
    try:
        return crc32_of(field)
    except ValueError:
        raise Broken("its list of parts is malformed") from None
