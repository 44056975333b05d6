"""The client: one object that speaks to one server."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import Self

from penstock.client import folders, listing
from penstock.client.address import NO_HEADERS
from penstock.client.answers import FileInfo, Page, ZipInfo
from penstock.client.archives import ArchiveInfo, Archives, Link
from penstock.client.audit import Audit
from penstock.client.bearer import bearer_of
from penstock.client.file_reader import Path
from penstock.client.file_service import FileService
from penstock.client.following import follow
from penstock.client.get import download, get
from penstock.client.http import Http, check_server
from penstock.client.jobs import Jobs
from penstock.client.nodes import Nodes
from penstock.client.progress import Progress, no_progress
from penstock.client.pulls import Pulls
from penstock.client.put import put
from penstock.client.readers import Source
from penstock.client.selection import Compress, Level, OnError, RemoteUrl, Selection
from penstock.client.several import Done, Meters, Several, Transfer
from penstock.client.shares import Shares
from penstock.client.targets import Target
from penstock.client.tokens import Tokens
from penstock.client.zips import zip_to


def _no_meters(key: str) -> Progress:
    return no_progress


class Client:
    """Puts, gets, lists, deletes and zips the files of a Penstock server.

    Use it as an asynchronous context manager::

        async with Client("http://127.0.0.1:8080") as client:
            await client.put("film.mkv", "films/film.mkv")

    ``limit_rate`` is bytes per second for all transfers of this client together. ``timeout`` is
    how many seconds the connection may be silent. Broken connections, timeouts and answers that
    tell of a passing trouble are tried again, with growing pauses, until ``tries`` in a row
    brought nothing; a server that never answered is reported at once. ``parallel`` is how many
    parts of big files are moved side by side, for all files together: of uploads from 256 MiB up,
    of downloads as many as make them faster. With ``range_size`` (bytes) files are asked for in
    ranges of that size, even by one connection, and each of them is verified if the server can
    tell its digest. ``token`` is shown to this server and to no other: it follows no redirect and
    no link that leads elsewhere.

    Every transfer is verified: SHA-256 for files, CRC-32 for ZIPs. Errors are those of
    :mod:`penstock.errors`, and ``OSError`` for the local disk.

    :raises ValueError: ``server`` is not an ``http://`` or ``https://`` address, ``parallel`` is
        less than 1, or ``token`` cannot be one.
    """

    def __init__(
        self,
        server: str,
        *,
        limit_rate: float | None = None,
        timeout: float = 60.0,
        tries: int = 8,
        parallel: int = 4,
        range_size: int | None = None,
        token: str | None = None,
    ) -> None:
        check_server(server)
        bearer_of(server, token)
        if parallel < 1 or (range_size is not None and range_size < 1):
            raise ValueError("parallel and range_size must be at least 1")
        self._make: Callable[[], Http] = lambda: Http(
            server,
            limit_rate=limit_rate,
            timeout=timeout,
            tries=tries,
            parallel=parallel,
            range_size=range_size,
            token=token,
        )
        self._opened: Http | None = None

    async def __aenter__(self) -> Self:
        self._opened = self._make()
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    @property
    def _http(self) -> Http:
        if self._opened is None:
            raise RuntimeError("use the client inside 'async with Client(…) as client:'")
        return self._opened

    async def put(
        self,
        source: Source,
        key: str,
        *,
        content_type: str | None = None,
        progress: Progress = no_progress,
    ) -> FileInfo:
        """Store ``source`` (a path, a binary stream, an iterator of bytes) at ``key``.

        A file is sent only if the server does not hold the same bytes at ``key`` already. Without
        ``content_type`` the server guesses it from the name.

        Files from 8 MiB up, and streams, go on at the byte where a broken connection or a server
        that was restarted left off. A file also goes on where an earlier call was ended, even by
        ``kill -9`` or on another machine, if it is still the same. Of a stream at most 16 MiB are
        in memory; an earlier call cannot be gone on with.

        :raises DigestMismatch: the server received other bytes than were sent.
        :raises SourceChanged: the file changed while it was read; nothing was stored.
        """
        return (await self.store(source, key, content_type=content_type, progress=progress)).info

    async def store(
        self,
        source: Source,
        key: str,
        *,
        content_type: str | None = None,
        progress: Progress = no_progress,
    ) -> Transfer:
        """As :meth:`put`, and tells whether anything had to be sent."""
        return await put(self._http, source, key, progress, content_type)

    def put_many(
        self, pairs: Several[tuple[Path, str]], *, meters: Meters = _no_meters
    ) -> AsyncGenerator[Done, None]:
        """Store each file (path, key), a few at a time; answers each result as it comes.

        ``meters`` makes the progress of one key. Close the generator if you leave it early.
        """
        return folders.put_many(self._http, folders.as_pairs(pairs), meters)

    def put_folder(
        self, folder: Path, prefix: str, *, meters: Meters = _no_meters
    ) -> AsyncGenerator[Done, None]:
        """As :meth:`put_many`, every file below ``folder`` at ``prefix`` plus its path there."""
        return folders.put_many(self._http, folders.pairs_below(folder, prefix), meters)

    async def get(self, key: str, target: Target, *, progress: Progress = no_progress) -> FileInfo:
        """Fetch ``key`` to ``target`` (a path, or a binary stream).

        To a path it goes by way of ``TARGET.part``, which the next call goes on with if this
        one is cut short; what is there already and the same is left alone.

        :raises NotFound: nothing is stored there.
        :raises DigestMismatch: the bytes that came are wrong; the part was removed.
        :raises SourceChanged: the file changes faster than it can be fetched.
        """
        return (await self.fetch(key, target, progress=progress)).info

    async def fetch(
        self, key: str, target: Target, *, progress: Progress = no_progress
    ) -> Transfer:
        """As :meth:`get`, and tells whether anything had to be fetched."""
        return await get(self._http, key, target, progress)

    async def follow(
        self, key: str, target: Target, *, progress: Progress = no_progress
    ) -> FileInfo:
        """As :meth:`get`, but of a file that is still being uploaded what arrives is read along.

        The target appears once the upload is stored and what came has its SHA-256; a stream gets
        the bytes as they come. A connection that breaks is gone on with at its byte, by a later
        call as well. If nothing is being uploaded there it is a :meth:`get`.

        :raises NotFound: nothing is stored there, nor being uploaded.
        :raises UploadGone: the upload failed, or its file was replaced at once; begin again.
        :raises DigestMismatch: the bytes that came are wrong; the part was removed.
        """
        return (await follow(self._http, key, target, progress)).info

    async def download(
        self,
        url: str,
        target: Target,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        sha256: str | None = None,
        progress: Progress = no_progress,
    ) -> FileInfo:
        """Fetch a file of any HTTP server to ``target``, as :meth:`get` does.

        ``headers`` go with every request to the URL's own origin. It is verified by ``sha256``
        (hex), or by the ``Repr-Digest`` that the server tells (RFC 9530); else only by its length.
        Broken downloads are gone on with if the server has ranges and a strong ``ETag`` or
        ``Last-Modified``. A link that the URL redirects to may expire meanwhile: it is asked for
        again.

        :raises BadRequest: it is no ``http`` or ``https`` URL.
        """
        return (await download(self._http, url, target, progress, headers, sha256)).info

    def download_many(
        self,
        pairs: Several[tuple[Path, str]],
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        sha256: str | None = None,
        meters: Meters = _no_meters,
    ) -> AsyncGenerator[Done, None]:
        """Fetch each URL to its path (path, URL), a few at a time, as :meth:`put_many` does.

        What it has at its path already is not fetched again if ``sha256`` tells that it is that.
        """
        given = folders.as_pairs(pairs)
        return folders.download_many(self._http, given, headers, sha256, meters)

    def get_many(
        self,
        pairs: Several[tuple[Path, str]],
        *,
        follow: bool = False,
        meters: Meters = _no_meters,
    ) -> AsyncGenerator[Done, None]:
        """Fetch each key to its path (path, key), a few at a time, as :meth:`put_many` does.

        With ``follow`` it is as :meth:`follow` does it.
        """
        return folders.get_many(self._http, folders.as_pairs(pairs), meters, following=follow)

    def get_folder(
        self, prefix: str, folder: Path, *, meters: Meters = _no_meters
    ) -> AsyncGenerator[Done, None]:
        """As :meth:`get_many`, every file under ``prefix`` (``a/photos/``) into ``folder``
        (``…/photos/``). No key leads out of ``folder``.

        :raises NotFound: nothing is stored under the prefix.
        """
        return folders.get_many(self._http, folders.pairs_under(self._http, prefix, folder), meters)

    async def list(
        self, prefix: str = "", *, delimiter: str = ""
    ) -> AsyncGenerator[FileInfo, None]:
        """Every file whose key starts with ``prefix``, in key order.

        With the delimiter ``/`` only those of the folder itself; :meth:`pages` has the folders.
        """
        async for page in self.pages(prefix, delimiter=delimiter):
            for info in page.files:
                yield info

    def pages(self, prefix: str = "", *, delimiter: str = "") -> AsyncGenerator[Page, None]:
        """The pages of a listing, each with files and common prefixes (folders)."""
        return listing.pages(self._http, prefix, delimiter)

    async def stat(self, key: str, *, digest: bool = False) -> FileInfo:
        """The facts of one file; with ``digest`` the SHA-256 is worked out if need be.

        ``crc32`` is not told here, and ``modified`` to the second only.

        :raises NotFound: nothing is stored there.
        """
        return await listing.stat(self._http, key, digest=digest)

    @property
    def jobs(self) -> Jobs:
        """All work of the server in the background: list, watch, cancel, retry, pause lanes."""
        return Jobs(self._http)

    @property
    def nodes(self) -> Nodes:
        """Storage nodes, if the server's files are in a cluster: list, drain, scrub, remove."""
        return Nodes(self._http)

    @property
    def tokens(self) -> Tokens:
        """What lets people and programs in: make, list and remove tokens."""
        return Tokens(self._http)

    @property
    def shares(self) -> Shares:
        """Links for who has no token: make, list and remove them."""
        return Shares(self._http)

    @property
    def audit(self) -> Audit:
        """Who did what."""
        return Audit(self._http)

    @property
    def file_service(self) -> FileService:
        """The routes of s3testcase's file service: upload and download."""
        return FileService(self._http)

    @property
    def pulls(self) -> Pulls:
        """Files that the server fetches by itself: begin, list, watch, cancel, retry."""
        return Pulls(self._http)

    async def pull(
        self,
        url: str,
        key: str,
        *,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        sha256: str | None = None,
        overwrite: bool = True,
        progress: Progress = no_progress,
    ) -> FileInfo:
        """Have the server fetch ``url`` to ``key``, and wait until it has.

        The server does it by itself: if this call is cancelled, it goes on, and the same call waits
        for it again. See :meth:`penstock.client.Pulls.begin` for the arguments.

        :raises SourceFailed: the source refuses, or was in trouble for too long.
        :raises SourceChanged: the source changes faster than it can be fetched.
        :raises RemoteRefused: the URL leads where the server must not go.
        :raises DigestMismatch: what came has another SHA-256.
        :raises PreconditionFailed: a file stands at ``key`` that may not be overwritten.
        :raises Cancelled: somebody cancelled it.
        """
        pull = await self.pulls.begin(
            url,
            key,
            headers=headers,
            content_type=content_type,
            sha256=sha256,
            overwrite=overwrite,
        )
        return (await self.pulls.finished(pull.id, progress=progress)).stored()

    @property
    def archives(self) -> Archives:
        """Folders that become ZIPs inside the store: plan, begin, list, watch, cancel, retry."""
        return Archives(self._http)

    async def archive(
        self,
        folder: str,
        key: str | None = None,
        *,
        overwrite: bool = True,
        tags: Mapping[str, str] | None = None,
        link: Link | None = None,
        link_expiry: float | None = None,
        progress: Progress = no_progress,
    ) -> ArchiveInfo:
        """Have the server make a ZIP of a folder inside its store, and wait until it has.

        The server does it by itself: if this call is cancelled, it goes on, and the same call waits
        for it again. See :meth:`penstock.client.Archives.begin` for the arguments and for what is
        raised at once.

        :raises SourceChanged: the folder changes faster than it can be archived.
        :raises PreconditionFailed: a file stands at ``key`` that may not be overwritten.
        :raises Cancelled: somebody cancelled it.
        """
        archive = await self.archives.begin(
            folder, key, overwrite=overwrite, tags=tags, link=link, link_expiry=link_expiry
        )
        if not archive.has_ended:
            archive = await self.archives.finished(archive.id, progress=progress)
        archive.stored()
        return archive

    async def delete(self, key: str, *, if_match: str | None = None) -> None:
        """Remove one file; with ``if_match`` (an etag) only that version.

        :raises NotFound: nothing is stored there.
        :raises PreconditionFailed: it is another version.
        """
        await listing.delete(self._http, key, if_match=if_match)

    def delete_many(self, keys: Several[str]) -> AsyncGenerator[Done, None]:
        """Remove each key, a few at a time; answers each result as it comes."""
        return folders.delete_many(self._http, keys)

    async def zip(
        self,
        target: Target,
        *,
        keys: Iterable[str] = (),
        prefixes: Iterable[str] = (),
        urls: Iterable[str | RemoteUrl] = (),
        name: str | None = None,
        compress: Compress = "store",
        level: Level = "fast",
        on_error: OnError = "abort",
        progress: Progress = no_progress,
    ) -> ZipInfo:
        """Fetch stored files, and files of other servers, as one ZIP to ``target``.

        ``compress`` deflates nothing (``store``), what seems worth it (``auto``) or everything;
        ``level`` is how hard. With ``on_error="report"`` members that cannot be had are left out
        and told by ``failures`` and by a report in the ZIP; else they are errors.

        A ZIP with an ``etag`` is resumed as :meth:`get` does. One without (compressed, of unknown
        sizes, with a report) starts again when the connection breaks, and into a stream fails
        then. A path gets only what was verified: by the CRC-32 of the whole ZIP, or where the
        server cannot promise one, by that of every member, read back. A stream is verified only
        in the first case.

        :raises NotFound: a key or prefix selects nothing (``extra["missing"]``).
        :raises SourceFailed: a URL cannot be fetched (``extra["sources"]``).
        :raises RemoteRefused: a URL leads where the server must not go.
        :raises DigestMismatch: the bytes that came are wrong; the part was removed.
        """
        selection = Selection(keys, prefixes, urls, name, compress, level, on_error)
        return await zip_to(self._http, target, selection, progress)
