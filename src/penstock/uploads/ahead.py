"""Parts of uploads go into the store ahead of their end, while more is coming.

The file of an upload stays the journal: only bytes that are durable and counted are sent, which no
crash or take-over can make others. The sending is beside the receiving and within
bounds; what it does not manage is sent when the upload is finished.
"""

import asyncio
import json
import logging
import os
from collections import OrderedDict
from functools import partial

from penstock.catalog.ledger import Ledger, UploadRow
from penstock.errors import PenstockError, Superseded
from penstock.stores.arrivals import Arrival, Arrived, Parts
from penstock.stores.interface import Checkpoint, Facts
from penstock.uploads import files
from penstock.uploads.session import Session
from penstock.uploads.upload import Kind, State

_AT_ONCE = 2
"""Parts of one upload that are sent at once."""
_MOST_AT_ONCE = 8
"""Parts of all uploads that are; the finish of an upload sends what is missing beside these."""
_PAUSE = 30.0
"""Seconds before it is tried again after a failure, unless the upload is finished before."""
_REMEMBERED = 100

_log = logging.getLogger("penstock.uploads")


class _Way:
    """One upload's way into the store, over all its sessions in this process."""

    def __init__(self, arrival: Arrival, row: UploadRow) -> None:
        self.arrival = arrival
        self.token = row.token
        self.noted = row.ahead
        """What the ledger has."""
        self.session: Session | None = None
        self.next = 1
        self.again = 0.0
        self.running: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """End what is being sent."""
        for task in self.running:
            task.cancel()
        await self.settle()

    async def settle(self) -> None:
        """Wait for what is being sent."""
        self.session = None
        await asyncio.gather(*self.running, return_exceptions=True)


class Ahead:
    """Sends the parts of uploads; ``me`` is this process as the ledger's holder."""

    def __init__(self, store: Parts, ledger: Ledger, me: str) -> None:
        self._store = store
        self._ledger = ledger
        self._me = me
        self._ways: OrderedDict[str, _Way] = OrderedDict()
        self._sending: set[asyncio.Task[None]] = set()
        self._renewed: dict[str, float] = {}

    async def close(self) -> None:
        """End what is being sent; another process, or the next one, goes on."""
        await asyncio.gather(*(way.stop() for way in self._ways.values()))
        # Those of uploads that another process had meanwhile were ended before.
        await asyncio.gather(*self._sending, return_exceptions=True)

    def taken(self, row: UploadRow) -> None:
        """This process holds an upload now; if another did meanwhile, ask anew how far it is."""
        way = self._ways.get(row.id)
        if way is None:
            return
        if row.token == way.token + 1:
            way.token = row.token
            return
        del self._ways[row.id]
        way.session = None
        for task in way.running:
            task.cancel()

    def counted(self, session: Session) -> None:
        """Bytes are durable and counted: begin to send what parts of them are complete.

        Costs next to nothing if there are none.
        """
        row = session.row
        if row.kind != Kind.WHOLE or row.state != State.OPEN or not row.offset:
            return
        way = self._way(row)
        way.session = session
        self._fill(way, session)

    def left(self, session: Session) -> None:
        """A session was left: what was begun goes on, and nothing else is begun."""
        way = self._ways.get(session.row.id)
        if way is None:
            return
        way.session = None
        if session.row.state == State.DONE:
            del self._ways[session.row.id]
        idle = [name for name, other in self._ways.items() if not other.session]
        for name in idle[: max(0, len(self._ways) - _REMEMBERED)]:
            if not self._ways[name].running:
                del self._ways[name]

    async def finish(self, session: Session, facts: Facts) -> Arrived:
        """Send what is missing of a complete upload, and store it.

        :raises PreconditionFailed: the upload's condition does not hold.
        :raises Superseded: another request holds the upload by now.
        """
        way = self._way(session.row)
        await way.settle()
        size = session.offset

        async def keep(kept: Checkpoint) -> None:
            # After a crash this is made again, with all that is there now.
            text = json.dumps(kept)
            await session.change(state=State.FINISHING, offset=size, length=size, ahead=text)
            way.noted = text

        read = partial(_read, session.data.fd, session.data.base)
        condition = session.upload.condition
        return await way.arrival.finish(size, facts, read, condition, keep)

    async def forsake(self, row: UploadRow) -> None:
        """Nothing will become of an upload: remove what was sent of it."""
        way = self._ways.pop(row.id, None)
        if way is None and row.ahead is None:
            return
        if way is not None:
            await way.stop()
        arrival = self._arrival(row) if way is None else way.arrival
        try:
            await arrival.forsake()
        except Exception:  # noqa: BLE001 - then it is removed when nobody renews it
            _log.warning("parts of an upload are left in the store", exc_info=True)

    async def renew(self) -> None:
        """Have the store keep the parts of uploads that may be gone on with, however late."""
        now = asyncio.get_running_loop().time()
        rows = await self._ledger.ahead()
        due = {row.id: self._renewed.get(row.id, -self._store.renewal) for row in rows}
        self._renewed = {name: at for name, at in due.items() if name in self._renewed}
        for row in rows:
            if due[row.id] + self._store.renewal <= now:
                try:
                    await self._arrival(row).renew()
                except PenstockError as error:  # there is time to try again
                    _log.warning("parts of an upload cannot be renewed in the store: %s", error)
                    if error.retryable:  # the store is down: the others would fail too
                        return
                    continue
                except Exception:  # noqa: BLE001 - of a database or the like: there is time too
                    _log.warning("parts of an upload cannot be renewed", exc_info=True)
                    continue
                self._renewed[row.id] = now

    def _way(self, row: UploadRow) -> _Way:
        if row.id not in self._ways:
            self._ways[row.id] = _Way(self._arrival(row), row)
        self._ways.move_to_end(row.id)
        return self._ways[row.id]

    def _arrival(self, row: UploadRow) -> Arrival:
        kept = {} if row.ahead is None else json.loads(row.ahead)
        return self._store.arrival(row.key, row.length, row.content_type, kept)

    def _fill(self, way: _Way, session: Session) -> None:
        """Begin to send as much as may be sent at once."""
        if asyncio.get_running_loop().time() < way.again:
            return
        while len(way.running) < _AT_ONCE and len(self._sending) < _MOST_AT_ONCE:
            span = way.arrival.part(way.next)
            if span is None or span[1] > session.row.offset:
                return
            self._begin(way, session, way.next)
            way.next += 1

    def _begin(self, way: _Way, session: Session, number: int) -> None:
        fd = os.dup(session.data.fd)  # the session may be left before the part is sent
        task = asyncio.create_task(self._send(way, session.row.id, number, (fd, session.data.base)))
        way.running.add(task)
        self._sending.add(task)
        # Not in the task: one that is cancelled early never runs.
        task.add_done_callback(lambda task: self._ended(way, task, fd))

    def _ended(self, way: _Way, task: asyncio.Task[None], fd: int) -> None:
        # Freeing a large file that was removed meanwhile takes the disk a while.
        asyncio.get_running_loop().run_in_executor(None, os.close, fd)
        self._sending.discard(task)
        way.running.discard(task)
        if way.session is not None and not task.cancelled():
            self._fill(way, way.session)

    async def _send(self, way: _Way, identity: str, number: int, place: tuple[int, int]) -> None:
        async def keep(kept: Checkpoint) -> None:
            text = json.dumps(kept)
            if await self._ledger.go_ahead(identity, self._me, way.noted, text) is None:
                raise Superseded("another request goes on with this upload")
            way.noted = text

        try:
            await way.arrival.send(number, partial(_read, *place), keep)
        except Exception as error:  # noqa: BLE001 - sent again, or when the upload is finished
            _log.warning("sending a part of an upload ahead failed: %s", error)
            way.next = min(way.next, number)
            way.again = asyncio.get_running_loop().time() + _PAUSE


def _read(fd: int, base: int, start: int, stop: int) -> bytes:
    """In a worker thread."""
    return b"".join(files.read(fd, base, start, stop))
