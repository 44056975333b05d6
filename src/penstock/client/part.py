"""One part of a file on its way."""

import asyncio
from collections.abc import Callable

from penstock.client import tus
from penstock.client.destination import Destination
from penstock.client.file_reader import FileReader, FileVersion, Path
from penstock.client.retry import Backoff
from penstock.client.spans import FileSpan
from penstock.client.unfinished import Found
from penstock.client.uploading import Upload
from penstock.errors import PenstockError, ServerUnavailable, SourceChanged, UploadGone


class Part:
    """The bytes of a file from ``start`` on, and the partial upload that takes them.

    ``found`` is the one that an earlier run left. ``begun`` is set when the part's turn comes.
    ``done`` is how many of its bytes were sent; ``moved`` hears when that changes.
    """

    def __init__(
        self,
        path: Path,
        version: FileVersion,
        span: tuple[int, int],
        found: Found | None,
        moved: Callable[[], None],
    ) -> None:
        self.start, self.end = span
        self.location = found.location if found is not None else ""
        self.done = found.offset if found is not None else 0
        self.begun = asyncio.Event()
        self._path = path
        self._version = version
        self._found = found is not None
        self._moved = moved

    async def send(self, destination: Destination, group: str) -> None:
        """Make the server have all of the part.

        :raises SourceChanged: the file is not what it was.
        """
        http = destination.http
        backoff = http.backoff()
        self.begun.set()
        while True:
            try:
                upload = await self._upload(destination, group, backoff)
                await self._fill(upload)
                return
            except SourceChanged:
                raise
            except UploadGone as error:
                self._found, self.location = False, ""
                lost = ServerUnavailable(f"{http.base} lost a part ({error.detail})")
                await http.retry(backoff, lost, progressed=False)
            except PenstockError as error:
                await http.retry(backoff, error, progressed=False)

    async def _upload(self, destination: Destination, group: str, backoff: Backoff) -> Upload:
        """What an earlier run left, if it is of this very file; else a new one."""
        http = destination.http
        size = self.end - self.start
        if self._found:
            standing = await tus.ask(http, http.located(self.location), size, digest=True)
            upload = Upload(http, backoff, self.location, standing, self._told)
            if standing.sha256 == await self._sha256(standing.offset):
                self._told(standing.offset)
                return upload
            await upload.abandon()
            self._found = False
        metadata = destination.metadata(penstock_group=group, penstock_start=str(self.start))
        self.location, standing = await tus.create(http, metadata, length=size, partial=True)
        self._told(0)
        return Upload(http, backoff, self.location, standing, self._told)

    async def _fill(self, upload: Upload) -> None:
        reader = await self._open(sha256=False)
        try:
            await upload.send(FileSpan(reader, 0, self.end - self.start))
        finally:
            await reader.close()

    async def _sha256(self, size: int) -> str:
        """SHA-256 (hex) of the first bytes of the part."""
        reader = await self._open(sha256=True)
        try:
            reader.mark([size])
            return await reader.sha256_at(size)
        finally:
            await reader.close()

    async def _open(self, *, sha256: bool) -> FileReader:
        reader = await FileReader.open(self._path, (self.start, self.end), sha256=sha256)
        if reader.version == self._version:
            return reader
        await reader.close()
        raise reader.changed()

    def _told(self, done: int) -> None:
        self.done = done
        self._moved()
