"""The file service of s3testcase, and whatever else answers on its routes.

``POST /upload`` cannot be gone on with: what breaks is sent again from the start. Downloads are
those of any other file.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from penstock.client.answers import sha256_of
from penstock.client.destination import check_same
from penstock.client.download import Download, Ranges
from penstock.client.file_reader import FileReader, Path, sha256_hex
from penstock.client.http import Http
from penstock.client.progress import Progress, no_progress
from penstock.client.readers import is_file
from penstock.client.sending import Body, send
from penstock.errors import BadKey, BadRequest, PenstockError, SourceChanged
from penstock.octets.digests import digest_field
from penstock.octets.media_types import DEFAULT
from penstock.octets.sniffing import FIRST, content_type_of_bytes
from penstock.stores.keys import check_key

DIGEST_PIECE: Final = 32 << 20
"""Bytes that are digested between two looks at the progress."""

_ERRORS: Final = {"Accept": "*/*, application/problem+json"}


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file of a file service: ``size`` is bytes, ``sha256`` lower-case hex of what was moved.

    ``verified``: the server told a digest too, and it was the same. ``url`` is where it is served.
    """

    name: str
    size: int
    content_type: str
    sha256: str
    url: str
    verified: bool = False

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def _unheard(*told: object) -> None:
    pass


class FileService:
    """Uploads and downloads as the console client of s3testcase makes them, but verified."""

    def __init__(self, http: Http) -> None:
        self._http = http

    @property
    def upload_url(self) -> str:
        """Where files are sent."""
        return str(self._http.url("/upload"))

    def url(self, name: str) -> str:
        """Where the file ``name`` is served."""
        return str(self._http.url(_path(name)))

    async def upload(
        self,
        path: Path,
        *,
        announce: Callable[[ServedFile], None] = _unheard,
        progress: Progress = no_progress,
    ) -> ServedFile:
        """Send the file at ``path`` under its own name; ``announce`` hears of it before it is sent.

        It is read twice: its SHA-256 goes ahead, so that the server refuses any other bytes.

        :raises DigestMismatch: other bytes than these arrived, and nothing was stored.
        :raises SourceChanged: the file changed while it was read.
        :raises BadKey: its name cannot be that of a stored file.
        :raises BadRequest: it is no regular file.
        """
        if not await is_file(path):
            raise BadRequest(f"{os.fspath(path)} is no regular file, so its length is not known")
        name = _sendable(os.path.basename(os.fspath(path)))
        reader = await FileReader.open(path)
        try:
            file = await self._looked_at(reader, name, progress)
            announce(file)
            return await self._sent(reader, file, progress)
        finally:
            await reader.close()

    async def download(
        self,
        name: str,
        target: Path,
        *,
        answered: Callable[[], None] = _unheard,
        progress: Progress = no_progress,
    ) -> ServedFile:
        """Fetch the file ``name`` to ``target``; ``answered`` hears when its bytes begin to come.

        It goes by way of ``TARGET.part``, which the next call goes on with if this one is cut
        short. ``target`` appears when it is whole and has the digest that the server tells.

        :raises NotFound: there is no such file.
        :raises DigestMismatch: the bytes that came are wrong; the part was removed.
        """
        http, url = self._http, self._http.url(_path(name))
        running = await Download.open(
            http.lanes,
            http.address(url, _ERRORS),
            os.fspath(target),
            ranges=Ranges(size=http.range_size),
            digested=True,
        )
        telling = asyncio.create_task(_tell(running, answered))
        try:
            digester = await running.run(progress)
            await telling
        finally:
            telling.cancel()
            await running.close()
        kind = running.headers.get("Content-Type", DEFAULT)
        sha256 = sha256_hex(digester)
        return ServedFile(name, digester.size, kind, sha256, str(url), running.verified)

    async def _looked_at(self, reader: FileReader, name: str, progress: Progress) -> ServedFile:
        await reader.go_to(0, FIRST)
        kind = content_type_of_bytes(await reader.read(), name) or DEFAULT
        while reader.digester.size < reader.size:
            await reader.digest_to(min(reader.digester.size + DIGEST_PIECE, reader.size))
            progress(reader.digester.size, reader.size)
        return ServedFile(name, reader.size, kind, sha256_hex(reader.digester), self.url(name))

    async def _sent(self, reader: FileReader, file: ServedFile, progress: Progress) -> ServedFile:
        backoff = self._http.backoff()
        while True:
            try:
                headers = await self._send(reader, file, progress)
                break
            except SourceChanged:
                raise
            except PenstockError as error:
                await self._http.retry(backoff, error, progressed=False)
        told = sha256_of(headers)
        check_same(file.name, told in (None, file.sha256))
        return replace(file, verified=told is not None)

    async def _send(
        self, reader: FileReader, file: ServedFile, progress: Progress
    ) -> Mapping[str, str]:
        http, size = self._http, file.size
        await reader.go_to(0)
        headers, _ = await send(
            http,
            "POST",
            http.url("/upload"),
            Body(http, reader.read, lambda done: progress(done, size)),
            size=size,
            headers={
                **_ERRORS,
                "X-File-Name": file.name,
                "Content-Type": file.content_type,
                "Repr-Digest": digest_field(bytes.fromhex(file.sha256)),
            },
            answer_within=http.answer_seconds(size),
        )
        return headers


async def _tell(running: Download, answered: Callable[[], None]) -> None:
    with suppress(PenstockError, OSError):  # run() raises it
        await running.head()
        answered()


def _path(name: str) -> str:
    return "/files/" + quote(name, safe="/")


def _sendable(name: str) -> str:
    """The name, if a header field can carry it.

    :raises BadKey: it cannot.
    """
    if name != name.strip():
        raise BadKey("a name that begins or ends in a space cannot be sent this way; use put")
    return check_key(name)
