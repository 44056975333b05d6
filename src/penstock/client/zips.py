"""Many files as one ZIP: select, fetch, verify."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from penstock.client.answers import Version, ZipInfo, understood
from penstock.client.http import Http, Progress, json_of
from penstock.client.targets import Target, bring, is_there

ZIPS = "/v1/zips"


class _RemoteZip:
    """A selection as something to fetch; when it expired it is made again."""

    def __init__(self, http: Http, selection: Mapping[str, Any], info: ZipInfo) -> None:
        self._http = http
        self._selection = selection
        self.headers: Mapping[str, str] = {}
        self.promised: Version | None
        self._take(info)

    async def renew(self) -> bool:
        self._take(await _select(self._http, self._selection))
        return True

    def _take(self, info: ZipInfo) -> None:
        self.info = info
        self.url = self._http.url(info.url)
        self.promised = Version(info.etag, info.size, crc32=info.crc32)


async def zip_to(
    http: Http,
    target: Target,
    keys: Iterable[str],
    prefixes: Iterable[str],
    name: str | None,
    progress: Progress,
) -> ZipInfo:
    """Fetch a ZIP unless it is there already; see :meth:`penstock.client.Client.zip`."""
    selection: dict[str, Any] = {"keys": list(keys), "prefixes": list(prefixes)}
    if name is not None:
        selection["name"] = name
    remote = _RemoteZip(http, selection, await _select(http, selection))
    there = isinstance(target, str | os.PathLike) and await is_there(target, remote.promised)
    if not there:
        await bring(http, remote, target, str(http.url(ZIPS)), progress)
    return remote.info


async def _select(http: Http, selection: Mapping[str, Any]) -> ZipInfo:
    _, body = await http.call("POST", http.url(ZIPS), json=selection)
    return understood(ZipInfo.from_json, json_of(body))
