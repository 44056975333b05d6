"""The last step: a complete upload is verified and stored at its key, once.

The answer is written down before the file moves. A crash in between leaves the bytes here, and
the step is made again; or they are gone from here, so the file was stored and the answer is true.
"""

import os
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from functools import partial

from penstock.catalog.ledger import Ledger
from penstock.errors import (
    BadKey,
    DigestMismatch,
    KeyConflict,
    PenstockError,
    PreconditionFailed,
)
from penstock.octets.digests import Digester
from penstock.stores.early import check_early
from penstock.stores.interface import ALWAYS, Adopts, Facts, FileInfo, Store
from penstock.threads import in_pool
from penstock.uploads import files
from penstock.uploads.ahead import Ahead
from penstock.uploads.joining import Joining
from penstock.uploads.session import Session
from penstock.uploads.upload import Kind, Outcome, State

_STRETCH = 4 << 20

# These stay as they are however often the step is made: they are the upload's final answer.
_LASTING = (PreconditionFailed, KeyConflict, BadKey)


class Finishing:
    """Ends uploads. ``sha256``: whether every file's SHA-256 is recorded. ``ahead`` is what sends
    parts into the store before, where it can take such."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        folder: files.Folder,
        pool: Executor,
        ahead: Ahead | None,
        *,
        sha256: bool,
    ) -> None:
        self._store = store
        self._adopts = store if isinstance(store, Adopts) else None
        self._ahead = ahead
        self._pool = pool
        self._sha256 = sha256
        self._joining = Joining(ledger, folder, pool)

    async def finish(self, session: Session) -> None:
        """End a complete upload; the answer is in the session's upload then.

        :raises BodyIncomplete: a part of it is not complete yet.
        :raises StorageFull: there is no space left; it can be finished later.
        """
        upload = session.upload
        if upload.state == State.FINISHING and not session.data.is_here and upload.outcome:
            await session.end(State.DONE, upload.outcome)
            return
        if upload.kind == Kind.PARTIAL:
            await session.data.sync()
            await session.end(State.DONE, Outcome())
            return
        try:
            if upload.kind == Kind.FINAL and upload.state == State.OPEN:
                await self._joining.join(session)
            digester = await session.data.digest(sha256=self._sha256 or upload.sha256 is not None)
            _verify(upload.sha256, digester)
            outcome = await self._store_it(session, digester)
        except (*_LASTING, DigestMismatch) as error:
            await session.fail(error)
        else:
            await session.end(State.DONE, outcome)
            if upload.kind == Kind.FINAL:
                await self._joining.clear(session)

    async def _store_it(self, session: Session, digester: Digester) -> Outcome:
        facts = Facts(digester.sha256, digester.crc32, session.upload.content_type)
        try:
            if self._ahead is not None:
                await session.data.sync()
                arrived = await self._ahead.finish(session, facts)
                return Outcome(arrived.file, replaced=arrived.replaced)
            replaced = await check_early(self._store, session.row.key, ALWAYS)
            if self._adopts is None:
                return Outcome(await self._copy(session), replaced=replaced)
            return await self._adopt(session, self._adopts, facts, digester.size, replaced)
        except _LASTING:
            raise
        except (PenstockError, OSError):
            await session.change(state=State.OPEN, outcome=None)
            raise

    async def _adopt(
        self, session: Session, store: Adopts, facts: Facts, size: int, replaced: bool
    ) -> Outcome:
        upload = session.upload

        def ready() -> FileInfo:
            os.ftruncate(session.data.fd, size)  # it may have been told, and held, more
            return store.finish(session.data.fd, upload.key, facts)

        info = await in_pool(self._pool, ready)
        outcome = Outcome(info, replaced=replaced)
        await session.change(
            state=State.FINISHING,
            outcome=outcome.to_json(),
            offset=size,
            length=size,
        )
        name, _ = files.data_place(session.row)
        await in_pool(self._pool, store.adopt, name, info, upload.condition)
        return outcome

    async def _copy(self, session: Session) -> FileInfo:
        upload = session.upload
        size = session.offset
        await session.data.sync()
        # After a crash the copy is made again, of all that is there now.
        await session.change(state=State.FINISHING, offset=size, length=size)
        async with await self._store.write(upload.key, size=size, want_sha256=True) as writer:
            async for data in self._read(session, size):
                await writer.write(data)
            return await writer.commit(content_type=upload.content_type, condition=upload.condition)

    async def _read(self, session: Session, size: int) -> AsyncIterator[bytes]:
        for start in range(0, size, _STRETCH):
            stretch = partial(
                files.read, session.data.fd, session.data.base, start, min(start + _STRETCH, size)
            )
            for data in await in_pool(self._pool, lambda: list(stretch())):  # noqa: B023
                yield data


def _verify(announced: bytes | None, digester: Digester) -> None:
    if announced is not None and announced != digester.sha256:
        raise DigestMismatch(
            "the bytes received are not those of the announced SHA-256; nothing was stored, "
            "send them again as a new upload"
        )
