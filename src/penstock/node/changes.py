"""Files that appear and disappear: those that come at the same time share what that costs.

A crash must not undo what was acknowledged, so a change waits three times for the disk: for the
file's bytes, for the catalog and for the folder. The last two are waited for once by all changes
that are asked for meanwhile.
"""

import asyncio
import os
import stat
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from penstock.node.book import Book
from penstock.stores.interface import FileInfo
from penstock.stores.local_writer import storage_errors
from penstock.threads import in_pool

_MOST = 500


@dataclass(frozen=True, slots=True)
class Change:
    """``name`` gets the finished file ``temporary``, of which ``info`` tells; or it is removed."""

    name: str
    temporary: str = ""
    info: FileInfo | None = None


class Changes:
    """Changes of the folder ``files``; temporaries lie in the folder ``incoming``.

    Nobody else may change it. ``used`` are the bytes of all files together.
    """

    def __init__(self, files: int, incoming: int, book: Book) -> None:
        self.used = 0
        self._files = files
        self._incoming = incoming
        self._book = book
        self._thread = ThreadPoolExecutor(1, "penstock-change")
        self._turn = asyncio.Lock()
        self._waiting: deque[tuple[Change, asyncio.Future[None]]] = deque()

    async def make(self, change: Change) -> None:
        """Make a change; it is durable on return. The caller is not to be cancelled meanwhile.

        :raises StorageFull: there is no space left for it.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, done))
        async with self._turn:
            # Whoever had a turn before may have made this one too.
            while not done.done():
                await self._make_some()
        done.result()

    async def close(self) -> None:
        """Free what is held."""
        await asyncio.to_thread(self._thread.shutdown)

    async def _make_some(self) -> None:
        """Make those that wait, up to one of a name that is among them already."""
        batch: dict[str, tuple[Change, asyncio.Future[None]]] = {}
        while self._waiting and self._waiting[0][0].name not in batch and len(batch) < _MOST:
            change, done = self._waiting.popleft()
            batch[change.name] = change, done
        errors: Sequence[BaseException | None] = [asyncio.CancelledError()] * len(batch)
        try:
            changes = [change for change, _ in batch.values()]
            errors = await in_pool(self._thread, self._make_all, changes)
        finally:
            for (_, done), error in zip(batch.values(), errors, strict=True):
                if error is None:
                    done.set_result(None)
                elif isinstance(error, asyncio.CancelledError):
                    done.cancel()
                else:
                    done.set_exception(error)

    # Below here: in the thread for it.

    def _make_all(self, changes: Sequence[Change]) -> Sequence[BaseException | None]:
        """Answers for each what was wrong with it."""
        try:
            # Of versions that nobody can see yet. What was known of those that they replace is
            # forgotten: a crash now costs that somebody reads them again.
            self._book.put_all(
                [
                    (info.key, info.etag, info.crc32)
                    for change in changes
                    if (info := change.info) is not None and info.crc32 is not None
                ]
            )
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            if len(changes) == 1:
                return [error]
            # One of them may be to blame: each for itself, so that the others do not suffer.
            return [self._make_all([change])[0] for change in changes]
        errors = [self._move(change) for change in changes]
        try:
            with storage_errors():
                os.fsync(self._files)
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            return [other or error for other in errors]
        removed = [change.name for change in changes if change.info is None]
        try:
            self._book.forget_all(removed)
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            # What appeared is there to stay; who removes may try again.
            return [
                other or (error if change.info is None else None)
                for change, other in zip(changes, errors, strict=True)
            ]
        return errors

    def _move(self, change: Change) -> Exception | None:
        try:
            before = self._size_of(change.name)
            if change.info is None:
                with suppress(FileNotFoundError):
                    os.unlink(change.name, dir_fd=self._files)
                self.used -= before
                return None
            with storage_errors():
                os.rename(
                    change.temporary,
                    change.name,
                    src_dir_fd=self._incoming,
                    dst_dir_fd=self._files,
                )
            self.used += change.info.size - before
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            return error
        return None

    def _size_of(self, name: str) -> int:
        try:
            found = os.stat(name, dir_fd=self._files, follow_symlinks=False)
        except FileNotFoundError:
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0
