"""Downloads of files."""

import os
from collections.abc import Mapping
from dataclasses import replace

from penstock.client.answers import FileInfo, Version, understood
from penstock.client.file_reader import sha256_hex
from penstock.client.http import Http, Progress
from penstock.client.listing import stat
from penstock.client.several import Transfer
from penstock.client.targets import Target, bring, is_there, size_there


class _RemoteFile:
    """A file of the server as something to fetch."""

    promised: Version | None = None
    digested = True

    def __init__(self, http: Http, key: str) -> None:
        self.path = http.file_path(key)
        self.url = http.url(self.path)
        self.headers: Mapping[str, str] = {}

    async def renew(self) -> bool:
        return False


async def get(
    http: Http, key: str, target: Target, progress: Progress, known: FileInfo | None = None
) -> Transfer:
    """Fetch ``key`` to ``target``; see :meth:`penstock.client.Client.get`.

    ``known`` is what a listing told of the file a moment ago.
    """
    remote = _RemoteFile(http, key)
    if isinstance(target, str | os.PathLike):
        size = await size_there(target)
        same = await _same(http, key, target, size, known) if size is not None else None
        if same is not None:
            return Transfer(same, skipped=True)
    digester = await bring(http, remote, target, str(remote.url), progress)
    info = understood(
        lambda told: FileInfo.from_headers(key, remote.path, told, digester.size), remote.headers
    )
    return Transfer(replace(info, sha256=sha256_hex(digester), crc32=f"{digester.crc32:08x}"))


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
