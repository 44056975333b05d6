"""A final upload is put together from its parts (tus concatenation)."""

import os
from collections.abc import Sequence
from concurrent.futures import Executor

from penstock.catalog.ledger import PARTIAL, Ledger, UploadRow
from penstock.errors import BodyIncomplete, UploadGone
from penstock.threads import in_pool
from penstock.uploads import files
from penstock.uploads.session import Session
from penstock.uploads.upload import State


class Joining:
    """Parts of one group that follow each other lie in one file already; others are copied."""

    def __init__(self, ledger: Ledger, folder: files.Folder, pool: Executor) -> None:
        self._ledger = ledger
        self._folder = folder
        self._pool = pool

    async def join(self, session: Session) -> None:
        """Give a final upload the bytes of its parts.

        :raises BodyIncomplete: a part is not complete.
        :raises UploadGone: a part is not there any more.
        """
        parts = await self._parts(session.upload.parts)
        size = sum(part.offset for part in parts)
        if await self._lie_together(session.row, parts):
            await in_pool(self._pool, self._folder.remove, files.data_place(session.row)[0])
            await session.change(part_group=parts[0].part_group, start=0)
            fd = await in_pool(self._pool, self._open, session.row)
            session.replace_data(fd, 0, size)
            return
        await in_pool(self._pool, self._copy, parts, session.data.fd)
        session.replace_data(session.data.fd, 0, size)

    async def clear(self, session: Session) -> None:
        """Forget the parts whose bytes are now the stored file's."""
        group = session.row.part_group
        if not group:
            return
        for part in await self._ledger.of_group(session.row):
            if part.id != session.row.id and await self._ledger.remove(part, None):
                await in_pool(self._pool, self._folder.drop, part)

    async def _parts(self, identities: Sequence[str]) -> list[UploadRow]:
        found = await self._ledger.get_many(identities)
        for number, identity in enumerate(identities, start=1):
            if identity not in found:
                raise UploadGone(f"part {number} of the upload is gone; send the parts again")
            if found[identity].state != State.DONE:
                raise BodyIncomplete(f"part {number} of the upload is not complete")
        return [found[identity] for identity in identities]

    async def _lie_together(self, final: UploadRow, parts: Sequence[UploadRow]) -> bool:
        """Whether the parts are, in this order, all of one shared file."""
        if final.generation or len({part.id for part in parts}) != len(parts):
            return False
        at = 0
        shared = final.owner, final.key, parts[0].part_group, 0
        for part in parts:
            place = part.owner, part.key, part.part_group, part.generation
            if not part.part_group or place != shared or part.start != at:
                return False
            at += part.offset
        everything = [row for row in await self._ledger.of_group(parts[0]) if row.kind == PARTIAL]
        return {row.id for row in everything} == {part.id for part in parts}

    def _open(self, row: UploadRow) -> int:
        """In a worker thread."""
        fd = self._folder.open_data(row, create=False)
        if fd is None:
            raise UploadGone("the bytes of the parts are lost; send them again")
        return fd

    def _copy(self, parts: Sequence[UploadRow], target: int) -> None:
        """In a worker thread."""
        os.ftruncate(target, 0)
        at = 0
        for part in parts:
            _, base = files.data_place(part)
            source = self._open(part)
            try:
                files.copy(source, base, part.offset, target, at)
            finally:
                os.close(source)
            at += part.offset
