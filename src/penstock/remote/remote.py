"""The one object through which files of other servers are read."""

import ssl
from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType

from penstock.remote.file import RemoteFile
from penstock.remote.limits import RemoteLimits
from penstock.remote.probe import probe
from penstock.remote.reading import read
from penstock.remote.session import Session
from penstock.remote.urls import Target

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Remote:
    """Reads files of other servers over HTTP, within ``limits``.

    ``tls`` says which certificates are trusted; without it those that the system trusts. No
    proxy, cookie or credential of the environment is used. Use it in one event loop, and close it.
    """

    def __init__(self, limits: RemoteLimits, *, tls: ssl.SSLContext | None = None) -> None:
        self._session = Session(limits, tls)

    async def probe(self, url: str, headers: Mapping[str, str] = _NO_HEADERS) -> RemoteFile:
        """Ask what is at ``url``; ``headers`` go with this and every later request.

        :raises BadRequest: it is no ``http`` or ``https`` URL, or a header is not the caller's.
        :raises RemoteRefused: it leads where this server must not go.
        :raises SourceFailed: it cannot be had; ``extra["reason"]`` says why in few words.
        """
        return await probe(self._session, url, headers)

    def taken_as(self, url: str, headers: Mapping[str, str], size: int) -> RemoteFile:
        """A file of which the caller says the size, so that it need not be asked for.

        :raises BadRequest: as :meth:`probe`.
        """
        Target.of(url, headers)
        return RemoteFile(url, headers, size)

    def read(
        self, file: RemoteFile, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes ``start`` to ``stop`` of a file, in order, in pieces of 128 KiB at most.

        What breaks off is gone on with, if the version can be told. Close the generator when it
        is not read to its end: that ends its connection.

        :raises RemoteRefused: it leads where this server must not go.
        :raises SourceChanged: it is no longer what ``file`` says, or changed meanwhile.
        :raises SourceFailed: it cannot be had, or broke off and cannot be resumed.
        """
        return read(self._session, file, start, stop)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()
