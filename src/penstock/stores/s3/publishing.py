"""The last step of a write: its object becomes visible, on a condition, once.

The write's name in the metadata tells whether it succeeded, whatever answers are lost.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from penstock.errors import PenstockError
from penstock.stores.interface import Condition, Facts, FileInfo
from penstock.stores.s3.calls import SHA256, UNTYPED, WRITE, Head
from penstock.stores.s3.guarding import guarded
from penstock.stores.s3.shared import Shared
from penstock.stores.s3.trouble import Broken, Refused
from penstock.threads import in_thread

_GUARD_TRIES: Final = 3

Step = Callable[[Mapping[str, str]], Awaitable[str]]
"""Makes the object visible, with these fields more; answers its ETag."""


def fields_of(token: str, facts: Facts) -> dict[str, str]:
    """The metadata of an object that the write ``token`` makes."""
    # Left out, the type would be the server's choice: one takes that of another request.
    fields = {WRITE: token, "Content-Type": facts.content_type or UNTYPED}
    if facts.sha256 is not None:
        fields[SHA256] = facts.sha256.hex()
    return fields


class Publishing:
    """What one write of ``size`` bytes does with the object at ``key``.

    ``etag`` is set by the step where it can tell before what S3 must keep.
    """

    def __init__(self, shared: Shared, key: str, token: str, size: int) -> None:
        self._shared = shared
        self._key = key
        self._name = shared.name_of(key)
        self._token = token
        self._size = size
        self.etag: str | None = None

    async def run(self, step: Step, condition: Condition, *, multipart: bool) -> Head:
        """Take the step; again if another version came between. Answers what is stored.

        :raises PreconditionFailed: ``condition`` does not hold.
        :raises Refused: as :meth:`Client.call` does.
        :raises Broken: likewise.
        """
        async with self._shared.turns.at(self._key):
            tries = 0
            while True:
                tries += 1
                guard = await guarded(self._shared, self._key, condition, multipart=multipart)
                try:
                    etag = await step(guard)
                except (Refused, Broken) as error:
                    # The answer to an earlier try may be what was lost, and not the request.
                    changed = isinstance(error, Refused) and error.status in (404, 412)
                    if (head := await self.mine(certain=changed)) is not None:
                        return head
                    if not (changed and guard) or tries == _GUARD_TRIES:
                        raise
                else:
                    return await self._head(etag)

    async def noted(self, head: Head, facts: Facts) -> FileInfo:
        """Write down what is known of the object; answers the file.

        :raises PenstockError: it has another number of bytes.
        """
        if head.size != self._size:
            raise PenstockError("the S3 store kept another number of bytes; store the file again")
        # What replaced it has facts of its own, and there are none without a CRC-32.
        if head.write == self._token and facts.crc32 is not None:
            await in_thread(self._shared.book.put, self._key, head.etag, facts)
        return FileInfo(
            self._key,
            head.size,
            head.modified_ns,
            head.etag,
            facts.content_type,
            facts.sha256,
            facts.crc32,
        )

    async def mine(self, *, certain: bool) -> Head | None:
        """What is stored, if this write stored it.

        ``certain``: raises :class:`Refused` or :class:`Broken` if that cannot be found out.
        """
        try:
            head = await self._shared.calls.head(self._name)
        except (Refused, Broken) as error:
            absent = isinstance(error, Refused) and error.absent
            if certain and not absent:
                raise
            return None
        if head.write != self._token:
            return None
        if self.etag is not None and head.etag != self.etag:
            # Nobody shall take it for the file.
            await self._shared.calls.delete(self._name, {"If-Match": f'"{head.etag}"'})
            return None
        return head

    async def _head(self, etag: str) -> Head:
        """What is stored now, which tells the time; by its ETag it is this write's."""
        try:
            head = await self._shared.calls.head(self._name)
        except (Refused, Broken) as error:
            # It is stored, whatever becomes of this question; or was, and somebody removed it.
            removed = isinstance(error, Refused) and error.absent
            now = int(time.time()) * 1_000_000_000
            write = None if removed else self._token
            return Head(self._size, now, etag, None, None, None, write)
        if head.write == self._token:
            return head
        # Somebody replaced it already.
        return head._replace(etag=etag, size=self._size)
