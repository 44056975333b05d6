"""Uploads that can be gone on with: begun, looked at, taken, ended and swept."""

import asyncio
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from penstock.catalog.ledger import Ledger, Open, UploadRow
from penstock.errors import (
    BadRequest,
    Busy,
    NotFound,
    PenstockError,
    Superseded,
    TooLarge,
)
from penstock.octets.digests import Digester
from penstock.stores.arrivals import Parts
from penstock.stores.early import check_admitted, check_early
from penstock.stores.interface import ALWAYS, Adopts, Store
from penstock.stores.keys import check_key
from penstock.threads import in_pool
from penstock.uploads import files
from penstock.uploads.ahead import Ahead
from penstock.uploads.finishing import Finishing
from penstock.uploads.following import Following
from penstock.uploads.holding import Holding, check_owner
from penstock.uploads.limits import UploadLimits
from penstock.uploads.session import Session
from penstock.uploads.sweeping import Sweeper
from penstock.uploads.upload import Creation, Kind, State, Upload, from_row, new_row

_DIGESTS = 1000
_MOST_PARTS = 10_000


class Uploads:
    """All uploads of one store. Belongs to one event loop.

    ``fallback`` is the folder for their bytes where the store cannot adopt files.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        fallback: files.Folder,
        limits: UploadLimits,
        *,
        threads: int = 16,
        sha256: bool = True,
    ) -> None:
        self.limits = limits
        self._store = store
        self._ledger = ledger
        self._fallback = fallback
        self._folder = fallback
        if isinstance(store, Adopts):
            self._folder = files.Folder(store.incoming, owned=False)
        self._sha256 = sha256
        self._pool = ThreadPoolExecutor(threads, "penstock-upload")
        self._holding = Holding(ledger, self._folder, self._pool)
        self._ahead: Ahead | None = None
        if isinstance(store, Parts) and not isinstance(store, Adopts):
            self._ahead = Ahead(store, ledger, self._holding.me)
        self._finishing = Finishing(
            store, ledger, self._folder, self._pool, self._ahead, sha256=sha256
        )
        self._digests: OrderedDict[str, Digester] = OrderedDict()
        self._background: set[asyncio.Task[None]] = set()
        self.sweeper = Sweeper(self, ledger, self._folder, self._pool)
        # The wall clock may jump while we run; what expires must not jump with it.
        self._started = time.time() - time.monotonic()
        self.following = Following(
            ledger, self._holding, self._folder, self._pool, expiry=limits.expiry, now=self.now
        )

    @property
    def happened(self) -> Mapping[str, int]:
        """How often this process did what, such as ``upload.finished``."""
        return self._ledger.happened

    async def unfinished(self) -> Open:
        """How many uploads are unfinished, of all processes, and their bytes."""
        return await self._ledger.open()

    async def close(self) -> None:
        """End the sessions that are left and wait for what is being joined."""
        await self._holding.close()
        await asyncio.gather(*self._background, return_exceptions=True)
        if self._ahead is not None:
            await self._ahead.close()
        await self.following.close()
        await asyncio.to_thread(self._pool.shutdown)
        self._fallback.close()

    async def create(self, wish: Creation) -> Session:
        """Begin an upload; the caller holds it.

        :raises BadKey: no file can have that key.
        :raises BadRequest: what shall become of it does not fit together.
        :raises TooLarge: it is over a limit of the server.
        :raises Busy: too many uploads are unfinished.
        :raises StorageFull: it does not fit on the disk.
        :raises NotFound: a part of a final one is not there.
        :raises PreconditionFailed: the file at the key is not one it may replace.
        """
        await self._check(wish)
        if wish.kind == Kind.FINAL:
            wish = replace(wish, length=await self._length_of(wish.parts))
        row = new_row(secrets.token_urlsafe(18), wish, now=self.now(), expires=self.expires())
        row = row._replace(holder=self._holding.me, token=1)
        most = Open(self.limits.max_uploads, self.limits.max_upload_bytes)
        try:
            if (now := await self._ledger.insert(row, most)) is not None:
                raise _over(now, self.limits)
            session = await self._holding.begin(await self._row(row.id, row.owner), self._session)
        except BaseException:  # nobody was told of it: it must not count until it expires
            await self._ledger.remove(row, "upload.deleted")
            raise
        if wish.plain:
            self._in_background(self._drop_plain(row))
        return session

    async def look(self, identity: str, owner: str = "") -> Upload:
        """How an upload stands. Whoever appends to it is ended, so the offset can be used.

        :raises NotFound: there is no such upload.
        :raises UploadGone: its bytes are not there any more.
        :raises Superseded: it is being stored at this moment.
        """
        # An append that came before this request may not count after the answer.
        wanted = self._holding.is_wanted(identity)
        row = await self._row(identity, owner)
        upload = from_row(row)
        waits = upload.kind == Kind.FINAL and upload.state == State.OPEN
        if not (wanted or upload.active or waits or upload.state == State.FINISHING):
            await self._holding.check(row)
            return upload
        async with await self.take(identity, owner) as session:
            if waits:
                await _finish_if_possible(session)
        upload = from_row(await self._row(identity, owner))
        if upload.length is None and waits:
            upload = replace(upload, length=await self._length_of(upload.parts))
        return upload

    async def take(self, identity: str, owner: str = "") -> Session:
        """Hold an upload, whoever does so now; use it with ``async with``, at once.

        One that was about to be stored when its server died is stored first.

        :raises NotFound: there is no such upload.
        :raises Superseded: it is being stored at this moment.
        """
        session = await self._holding.take(identity, self._session, owner)
        if session.row.state == State.FINISHING:
            async with session:
                await _finish_if_possible(session)
            return await self._holding.take(identity, self._session, owner)
        return session

    async def delete(self, identity: str, owner: str = "") -> Upload | None:
        """End an upload and remove it; answers it if it was not whole yet.

        :raises NotFound: there is no such upload.
        """
        session = await self._holding.take(identity, self._session, owner, whole=False)
        async with session:
            upload = session.upload
            await self._remove(session, "upload.deleted")
        return upload if upload.state == State.OPEN else None

    async def discard(self, key: str, owner: str) -> None:
        """End the uploads for ``key`` that ``owner`` has begun, whoever is at them."""
        for upload in await self.open_for(key, owner):
            with suppress(NotFound):
                await self.delete(upload.id, owner)

    async def expire(self, identity: str, owner: str = "") -> bool:
        """Remove an upload if its time is over and nobody goes on with it; whether it was.

        :raises NotFound: there is no such upload.
        :raises Superseded: it is being stored at this moment.
        """
        return await self._remove_if(identity, owner, lambda row: row.expires <= self.now())

    async def _remove_if(
        self, identity: str, owner: str, useless: Callable[[UploadRow], bool]
    ) -> bool:
        """Remove an upload that nobody goes on with, if it is ``useless`` still when we hold it."""
        row = await self._row(identity, owner)
        if not useless(row) or await self._holding.lives(row):
            return False
        session = await self._holding.take(identity, self._session, owner, whole=False)
        async with session:
            if session.row.token != row.token + 1 or not useless(session.row):
                return False
            await self._remove(session, "upload.expired")
            return True

    async def open_for(self, key: str, owner: str = "") -> list[Upload]:
        """The unfinished uploads of a key, newest first; none is disturbed."""
        rows = [row for row in await self._ledger.of_key(key) if row.owner == owner]
        return [replace(from_row(row), active=await self._holding.lives(row)) for row in rows]

    async def keys_of(self, identities: Iterable[str]) -> dict[str, str]:
        """The keys of those of the uploads that there are; none is disturbed."""
        found = await self._ledger.get_many(set(identities))
        return {row.id: row.key for row in found.values()}

    async def digest(self, identity: str, owner: str = "") -> tuple[int, bytes]:
        """The offset of an upload and the SHA-256 (32 bytes) of what lies before it.

        :raises NotFound: there is no such upload, or its bytes are stored already.
        """
        async with await self.take(identity, owner) as session:
            if session.ended and session.upload.kind != Kind.PARTIAL:
                raise NotFound("the upload has ended; ask for the file it became")
            return session.offset, await session.digest()

    # For sessions and what finishes them.

    def check_size(self, size: int) -> None:
        """Refuse an upload of so many bytes.

        :raises TooLarge: it is over the limit.
        """
        if size > self.limits.max_size:
            raise TooLarge(f"an upload may have {self.limits.max_size:,} bytes at most")

    def expires(self) -> float:
        """When an upload expires that gets a byte now, in seconds since 1970."""
        return self.now() + self.limits.expiry

    async def finish(self, session: Session) -> None:
        """End a complete upload."""
        await self._finishing.finish(session)
        if session.row.kind == Kind.PARTIAL:
            for final in await self._ledger.waiting_for(session.row.id):
                self._in_background(self._join(final.id, final.owner))

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def counted(self, session: Session) -> None:
        """Bytes may be durable and counted that were not; costs next to nothing if not."""
        if self._ahead is not None:
            self._ahead.counted(session)

    def let_go(self, session: Session, digester: Digester | None) -> None:
        """A session was left; the digest of what is counted is of use to the next one."""
        self._holding.forget(session)
        self.following.left(session)
        if self._ahead is not None:
            self._ahead.left(session)
            if session.removed or session.row.state == State.FAILED:
                self._in_background(self._ahead.forsake(session.row))
        if digester is not None and session.is_open:
            self._digests[session.row.id] = digester
            self._digests.move_to_end(session.row.id)
            if len(self._digests) > _DIGESTS:
                self._digests.popitem(last=False)

    def now(self) -> float:
        """Seconds since 1970 by a clock that does not jump while the process runs."""
        return self._started + time.monotonic()

    async def renew(self) -> None:
        """Have the store keep what was sent ahead of uploads that may be gone on with."""
        if self._ahead is not None:
            await self._ahead.renew()

    def _session(self, row: UploadRow, fds: tuple[int, int | None]) -> Session:
        if self._ahead is not None:
            self._ahead.taken(row)
        digester = self._digests.pop(row.id, None)
        if digester is None or digester.size > row.offset:
            # The whole is digested when the parts are together.
            sha256 = row.kind == Kind.WHOLE and (self._sha256 or row.sha256 is not None)
            digester = Digester(sha256=sha256)
        return Session(self, self._ledger, self._folder, self._pool, row, fds, digester)

    async def _row(self, identity: str, owner: str) -> UploadRow:
        return check_owner(await self._ledger.get(identity), owner)

    async def _check(self, wish: Creation) -> None:
        if wish.kind != Kind.PARTIAL or wish.key:
            check_key(wish.key)
        if wish.length is not None:
            self.check_size(wish.length)
            await in_pool(self._pool, self._folder.check_space, wish.length)
        if wish.start < 0 or wish.start > self.limits.max_size:
            raise BadRequest("a part must begin inside of the file")
        if wish.group and wish.length is None:
            raise BadRequest("a part of a group must tell its length")
        if wish.kind == Kind.FINAL:
            await self._check_parts(wish)
        if wish.condition != ALWAYS:
            await check_early(self._store, wish.key, wish.condition)
        await check_admitted(self._store, wish.length)

    async def _length_of(self, parts: Sequence[str]) -> int | None:
        """The bytes of all parts; ``None`` while one of them has not told its own."""
        found = await self._ledger.get_many(set(parts))
        lengths = [found[part].length if part in found else None for part in parts]
        return None if None in lengths else sum(filter(None, lengths))

    async def _check_parts(self, wish: Creation) -> None:
        if not 0 < len(wish.parts) <= _MOST_PARTS:
            raise BadRequest(f"a final upload is made of 1 to {_MOST_PARTS:,} parts")
        found = await self._ledger.get_many(set(wish.parts))
        for identity in wish.parts:
            row = found.get(identity)
            if row is None or row.owner != wish.owner or row.state == State.FAILED:
                raise NotFound("a part of the upload is not there; it may have expired")
            if row.kind != Kind.PARTIAL:
                raise BadRequest("only partial uploads can be parts")

    async def _drop_plain(self, new: UploadRow) -> None:
        """A plain PUT begins anew: what broken ones of the key left is of no use any more."""
        for row in await self._ledger.of_key(new.key):
            if row.plain and row.owner == new.owner and row.id != new.id:
                with suppress(NotFound, Superseded):  # somebody was quicker, or goes on with it
                    await self._remove_if(row.id, row.owner, lambda row: row.plain)

    async def _remove(self, session: Session, event: str) -> None:
        await session.remove(event)
        if session.row.part_group and not session.row.generation:
            session.data.close()
            await self._remove_group(session.row)

    async def _remove_group(self, row: UploadRow) -> None:
        """Remove the file of a group if no upload lies in it any more."""
        name = files.group_name(row)
        fd = await in_pool(self._pool, self._folder.unused, name)
        if fd is None:
            return
        try:
            if not await self._ledger.of_group(row):
                await in_pool(self._pool, self._folder.remove, name)
        finally:
            os.close(fd)

    async def _join(self, identity: str, owner: str) -> None:
        """Finish a final upload whose last part may have come."""
        with suppress(NotFound, Superseded):  # it was deleted, or another request finishes it
            async with await self.take(identity, owner) as session:
                await _finish_if_possible(session)


async def _finish_if_possible(session: Session) -> None:
    """Finish an upload; what is wrong with it is its answer, or is told to who asks next."""
    with suppress(PenstockError):
        await session.finish()


def _over(now: Open, limits: UploadLimits) -> PenstockError:
    if now.uploads > limits.max_uploads:
        return Busy(
            "too many uploads are unfinished; finish or delete some, or try again later",
            retry_after=60,
        )
    return TooLarge(
        f"unfinished uploads may have {limits.max_upload_bytes:,} bytes together; "
        "finish or delete some first"
    )
