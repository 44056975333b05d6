"""Many files as one ZIP: select, fetch, verify."""

import os
from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any

from penstock.client.answers import Version, ZipInfo, understood
from penstock.client.http import Http, json_of
from penstock.client.progress import Progress
from penstock.client.selection import Selection
from penstock.client.sinks import Sink
from penstock.client.targets import Target, bring, is_there
from penstock.client.zip_reading import ZipReader
from penstock.client.zip_reports import report_in
from penstock.errors import SourceFailed
from penstock.threads import use_in_thread

ZIPS = "/v1/zips"
TAIL = 4 << 20
"""Bytes at the end of a stream that are kept for the directory in them: some 40,000 members."""

# How long a server may ask URLs before it answers: so many at once, each for so many seconds.
ASKED_AT_ONCE = 16
ASKING_SECONDS = 60.0


class _RemoteZip:
    """A selection as something to fetch; when it expired it is made again."""

    digested = False

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
        self.address = self._http.address(self._http.url(info.url))
        self.promised = Version(info.etag, info.size, crc32=info.crc32)


async def zip_to(http: Http, target: Target, selection: Selection, progress: Progress) -> ZipInfo:
    """Fetch a ZIP unless it is there already; see :meth:`penstock.client.Client.zip`."""
    spec = selection.to_json()
    remote = _RemoteZip(http, spec, await _select(http, spec))
    if isinstance(target, str | os.PathLike) and await is_there(target, remote.promised):
        return remote.info
    look = _Look(reports=selection.on_error == "report")
    origin = str(http.url(ZIPS))
    tail = TAIL if look.reports else 0
    digester = await bring(http, remote, target, origin, progress, look=look, tail=tail)
    return replace(
        remote.info,
        size=digester.size,
        crc32=f"{digester.crc32:08x}",
        entries=remote.info.entries if look.entries is None else look.entries,
        failures=look.failures,
    )


class _Look:
    """Reads back a ZIP that came: what no digest can verify, and the report at its end."""

    def __init__(self, *, reports: bool) -> None:
        self.reports = reports
        self.entries: int | None = None
        self.failures: list[tuple[str, str]] | None = []

    async def __call__(self, sink: Sink) -> None:
        reader = ZipReader(sink.read_back, sink.offset)
        if sink.keeps and sink.version is not None and not sink.version.has_digest:
            steps = reader.check()
            while await use_in_thread(next, steps, None):
                pass
        if self.reports:
            try:
                self.entries, self.failures = await use_in_thread(report_in, reader)
            except LookupError:  # the end of the stream that was kept is too short for it
                self.failures = None


async def _select(http: Http, spec: Mapping[str, Any]) -> ZipInfo:
    """Have the selection kept. Sources that fail were tried again by the server."""
    asking = ceil(len(spec.get("urls", ())) / ASKED_AT_ONCE) * ASKING_SECONDS
    _, body = await http.call(
        "POST",
        http.url(ZIPS),
        json=spec,
        final=(SourceFailed,),
        answer_within=http.timeout + asking,
    )
    return understood(ZipInfo.from_json, json_of(body))
