"""Where a put goes, what is there already, and whether what came to be there is right."""

from dataclasses import dataclass
from datetime import UTC, datetime

from penstock.client import tus_fields
from penstock.client.answers import FileInfo, Page, understood
from penstock.client.file_reader import FileReader, sha256_hex
from penstock.client.http import Http, json_of
from penstock.client.listing import stat
from penstock.client.progress import Progress
from penstock.client.tus_fields import Standing
from penstock.errors import DigestMismatch, Forbidden, NotFound
from penstock.octets.digests import Digester


@dataclass(frozen=True, slots=True)
class Destination:
    """A key of a server; ``content_type`` is ``None`` if the server shall guess it."""

    http: Http
    key: str
    content_type: str | None
    progress: Progress

    def metadata(self, **more: str | None) -> str:
        """What the creation of an upload tells; with ``sha256`` the server holds it to that."""
        return tus_fields.metadata_field(filename=self.key, filetype=self.content_type, **more)

    async def holds(self, reader: FileReader) -> FileInfo | None:
        """What is stored if it is what the file has; digests it only if the sizes agree.

        A token that may write and not read cannot know: it sends.
        """
        try:
            info = await stat(self.http, self.key, once=True)
            if info.size != reader.size:
                return None
            if info.sha256 is None:
                info = await stat(self.http, self.key, digest=True, once=True)
        except (NotFound, Forbidden):
            return None
        await reader.digest_to(reader.size)
        same = info.sha256 == sha256_hex(reader.digester)
        return info if same and self.content_type in (None, info.content_type) else None

    async def stored(self, sent: Digester, end: Standing) -> FileInfo:
        """The file that an upload became; ``end`` is how the server says that it ended.

        :raises DigestMismatch: it is not what was sent.
        """
        if end.sha256 is not None:
            check_same(self.key, end.sha256 == sha256_hex(sent))
        info = await self._info()
        if info is not None and end.etag in (None, info.etag):
            check_stored(info, sent)
            return info
        # Somebody has replaced or removed it already, or we may not see it. This is what it was.
        return FileInfo(
            key=self.key,
            size=sent.size,
            sha256=sha256_hex(sent),
            crc32=f"{sent.crc32:08x}",
            etag=end.etag or "",
            modified=datetime.now(UTC),
            content_type=self.content_type or "application/octet-stream",
            url=self.http.file_path(self.key),
        )

    async def _info(self) -> FileInfo | None:
        """All that the listing tells of the file, more than a HEAD does, to who may read."""
        url = self.http.url("/v1/files", [("prefix", self.key), ("limit", "1")])
        try:
            _, body = await self.http.call("GET", url)
        except Forbidden:
            return None
        found = understood(Page.from_json, json_of(body)).files
        return found[0] if found and found[0].key == self.key else None


def check_stored(info: FileInfo, sent: Digester) -> None:
    """Hold what is stored against what was sent; a server may not tell its digest.

    :raises DigestMismatch: they differ.
    """
    told = info.sha256 or info.crc32
    ours = sha256_hex(sent) if info.sha256 else f"{sent.crc32:08x}"
    check_same(info.key, info.size == sent.size and told in (None, ours))


def check_same(key: str, same: bool) -> None:
    """:raises DigestMismatch: it is not the same."""
    if not same:
        raise DigestMismatch(
            f"the server stored other bytes at {key} than were sent; send them again", key=key
        )
