"""One body comes in, whole and verified, over as many connections as it takes."""

from collections.abc import Mapping
from typing import Protocol

import aiohttp

from penstock.client.address import Address, Moved
from penstock.client.answers import Version, content_range, sha256_of
from penstock.client.carrying import readable_version
from penstock.client.http import Http
from penstock.client.progress import Progress
from penstock.client.retry import MAX_CHANGES
from penstock.client.sinks import Sink
from penstock.errors import (
    DigestMismatch,
    Forbidden,
    LoginNeeded,
    NotFound,
    PenstockError,
    PreconditionFailed,
    RangeNotSatisfiable,
    ServerUnavailable,
    SourceChanged,
)

UNKNOWN = Version(etag=None, size=None)


class Remote(Protocol):
    """Something that can be fetched by GET, HEAD and Range.

    ``promised`` is the version to be expected if it is known beforehand; ``digested`` says whether
    the server can be asked for its SHA-256; ``headers`` are those of the last answer.
    """

    address: Address
    promised: Version | None
    digested: bool
    headers: Mapping[str, str]

    async def renew(self) -> bool:
        """Ask again for the address after it failed; whether there is any point."""


async def fetch(http: Http, remote: Remote, sink: Sink, progress: Progress) -> Version:
    """Bring ``remote`` into ``sink``, going on where ``sink`` is; answers the verified version.

    A body without an ETag cannot be gone on with: it starts again, or fails into a stream.

    :raises DigestMismatch: it is whole, but the bytes are not the right ones.
    :raises SourceChanged: it changed again and again, or under a stream.
    """
    backoff = http.backoff()
    changes = furthest = 0
    while True:
        furthest = max(furthest, sink.offset)
        try:
            await _advance(http, remote, sink, progress)
            return await _verified(http, remote, sink)
        except Moved as moved:
            remote.address.move(moved.location)
        except (SourceChanged, NotFound, Forbidden, LoginNeeded) as error:
            changes += 1
            if changes > MAX_CHANGES or not await _start_again(remote, sink, error):
                raise
            changed = SourceChanged(error.detail)
            await http.retry(backoff, changed, progressed=False)
        except PenstockError as error:
            resumable = sink.version is not None and sink.version.validator is not None
            if sink.offset and not resumable and not sink.keeps:
                raise
            await http.retry(backoff, error, progressed=resumable and sink.offset > furthest)


async def _start_again(remote: Remote, sink: Sink, error: PenstockError) -> bool:
    """Prepare for another version; whether there can be one."""
    renewed = await remote.renew()
    if isinstance(error, SourceChanged):
        await sink.begin(UNKNOWN)
        return True
    return renewed


async def _advance(http: Http, remote: Remote, sink: Sink, progress: Progress) -> None:
    """One request: everything from the sink's offset on, if the connection holds."""
    version = sink.version
    if version is not None and remote.promised and version.etag != remote.promised.etag:
        await sink.begin(remote.promised)
    progress(sink.offset, version.size if version else None)
    if version is not None and version.size == sink.offset and sink.offset:
        return await _confirm(http, remote, version)
    headers = {**remote.address.headers, **_resume(sink)}
    try:
        async with http.request("GET", remote.address.url, headers=headers, moves=True) as response:
            remote.address.arrived()
            await _receive(http, response, remote, sink, progress)
    except RangeNotSatisfiable as error:
        raise SourceChanged(f"{remote.address.name} is shorter than before") from error


def _resume(sink: Sink) -> dict[str, str]:
    """The headers that ask for the rest of the very same version (RFC 9110 §13.1.5)."""
    if not sink.offset or sink.version is None or sink.version.validator is None:
        return {}
    return {"Range": f"bytes={sink.offset}-", "If-Range": sink.version.validator}


async def _confirm(http: Http, remote: Remote, version: Version) -> None:
    """Everything is there already: make sure that it still is what the server has."""
    address = remote.address
    told, _ = await http.ask("HEAD", address.url, headers=address.headers, moves=True)
    if Version.from_headers(told).validator != version.validator:
        raise SourceChanged(f"{remote.address.name} changed since its download began")
    remote.headers = told


async def _receive(
    http: Http, response: aiohttp.ClientResponse, remote: Remote, sink: Sink, progress: Progress
) -> None:
    at = await _place(response, remote, sink)
    assert sink.version is not None
    size = sink.version.size
    while data := await http.read(response):
        if new := data[sink.offset - at :]:
            await sink.write(new)
        at += len(data)
        progress(at, size)
    if size is not None and sink.offset != size:
        raise ServerUnavailable(f"{http.base} sent {sink.offset} of {size} bytes")


async def _place(response: aiohttp.ClientResponse, remote: Remote, sink: Sink) -> int:
    """Make the sink ready for this body: it goes on, or starts again.

    Answers at which byte of the whole the body starts: not after the sink's offset.
    """
    version = readable_version(response.headers, remote.address.url)
    if remote.promised is not None:
        if not version.same(remote.promised):
            raise SourceChanged(f"{remote.address.name} is another version than was promised")
        version = remote.promised
    remote.headers = response.headers
    if response.status == 206:
        if not _goes_on(response, version, sink):
            raise SourceChanged(f"{remote.address.name} answered another range than was asked for")
        return sink.offset
    # The whole of the very same version, because the server cannot start in its middle any more:
    # what is there already passes by.
    if sink.version is None or version.validator is None or not version.same(sink.version):
        await sink.begin(version)
    return 0


def _goes_on(response: aiohttp.ClientResponse, version: Version, sink: Sink) -> bool:
    assert sink.version is not None
    spread = content_range(response.headers)
    return spread is not None and spread[0] == sink.offset and version.same(sink.version)


async def _verified(http: Http, remote: Remote, sink: Sink) -> Version:
    version = sink.version
    assert version is not None
    if remote.digested and not version.has_digest and version.etag is not None:
        version = await _ask_digest(http, remote, version)
    if version.agrees(sink.digester) is False:
        raise DigestMismatch(
            f"the bytes that came from {remote.address.name} are not the right ones; "
            "run the command again"
        )
    return version


async def _ask_digest(http: Http, remote: Remote, version: Version) -> Version:
    """The version with its SHA-256, if the server can tell it (RFC 9530 §4)."""
    headers = {
        **remote.address.headers,
        "Want-Repr-Digest": "sha-256=10",
        "If-Match": str(version.etag),
    }
    patience = http.answer_seconds(version.size)
    try:
        told, _ = await http.ask(
            "HEAD", remote.address.url, headers=headers, answer_within=patience, moves=True
        )
    except PreconditionFailed as error:
        raise SourceChanged(f"{remote.address.name} changed while it was fetched") from error
    return Version(version.etag, version.size, sha256_of(told), version.crc32)
