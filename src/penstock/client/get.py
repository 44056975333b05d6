"""Downloads of stored files, and of files of any other server."""

import os
from collections.abc import Mapping
from dataclasses import replace

from penstock.client.address import NO_HEADERS, Address
from penstock.client.answers import FileInfo, Version, understood
from penstock.client.download import Download, Ranges
from penstock.client.file_reader import sha256_hex
from penstock.client.http import Http, check_url
from penstock.client.listing import stat
from penstock.client.progress import Progress
from penstock.client.several import Transfer
from penstock.client.targets import Target, file_path, is_there, size_there, to_stream
from penstock.errors import DigestMismatch
from penstock.octets.digests import Digester


class _RemoteFile:
    """A file as something to fetch; ``digested`` if its server can be asked for its SHA-256."""

    def __init__(self, address: Address, *, digested: bool, sha256: str | None = None) -> None:
        self.address = address
        self.digested = digested
        self.sha256 = sha256
        self.promised: Version | None = None
        self.headers: Mapping[str, str] = {}

    async def renew(self) -> bool:
        return self.address.renew()


async def get(
    http: Http, key: str, target: Target, progress: Progress, known: FileInfo | None = None
) -> Transfer:
    """Fetch ``key`` to ``target``; see :meth:`penstock.client.Client.get`.

    ``known`` is what a listing told of the file a moment ago.
    """
    path = http.file_path(key)
    if isinstance(target, str | os.PathLike):
        size = await size_there(target)
        same = await _same(http, key, target, size, known) if size is not None else None
        if same is not None:
            return Transfer(same, skipped=True)
    remote = _RemoteFile(http.address(http.url(path)), digested=True)
    digester = await _bring(http, remote, target, progress)
    info = understood(
        lambda told: FileInfo.from_headers(key, path, told, digester.size), remote.headers
    )
    return Transfer(replace(info, sha256=sha256_hex(digester), crc32=f"{digester.crc32:08x}"))


async def download(
    http: Http,
    url: str,
    target: Target,
    progress: Progress,
    headers: Mapping[str, str],
    sha256: str | None,
) -> Transfer:
    """Fetch ``url`` to ``target``; see :meth:`penstock.client.Client.download`."""
    address = http.address(check_url(url), headers)
    name, sha256 = address.name, sha256.lower() if sha256 else None
    if sha256 is not None and isinstance(target, str | os.PathLike):
        size = await size_there(target)
        if size is not None and await is_there(target, Version(None, size, sha256)):
            info = FileInfo.from_any(name, NO_HEADERS, size)
            return Transfer(replace(info, sha256=sha256), skipped=True)
    remote = _RemoteFile(address, digested=False, sha256=sha256)
    digester = await _bring(http, remote, target, progress)
    info = FileInfo.from_any(name, remote.headers, digester.size)
    return Transfer(replace(info, sha256=sha256_hex(digester), crc32=f"{digester.crc32:08x}"))


async def _bring(http: Http, remote: _RemoteFile, target: Target, progress: Progress) -> Digester:
    path = await file_path(target)
    if path is None:
        return await _to_stream(http, remote, target, progress)
    running = await Download.open(
        http.lanes,
        remote.address,
        path,
        ranges=Ranges(size=http.range_size),
        sha256=remote.sha256,
        digested=remote.digested,
    )
    try:
        digester = await running.run(progress)
        remote.headers = running.headers
    finally:
        await running.close()
    return digester


async def _to_stream(
    http: Http, remote: _RemoteFile, target: Target, progress: Progress
) -> Digester:
    there = http.elsewhere(remote.address.first)
    try:
        digester = await to_stream(there, remote, target, progress)
    finally:
        if there is not http:
            await there.close()
    if remote.sha256 not in (None, sha256_hex(digester)):
        raise DigestMismatch(f"{remote.address.name} has not the SHA-256 that was asked for")
    return digester


async def _same(
    http: Http, key: str, path: str | os.PathLike[str], size: int, known: FileInfo | None
) -> FileInfo | None:
    """What the server tells of the file if the one at ``path`` is the same."""
    info = known or await stat(http, key)
    if info.size != size:
        return None
    if info.sha256 is None:
        info = await stat(http, key, digest=True)
    version = Version(info.etag, info.size, info.sha256)
    return info if await is_there(path, version) else None
