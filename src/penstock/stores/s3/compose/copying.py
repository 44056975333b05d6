"""One part that S3 copies out of another object."""

from typing import Final, NamedTuple

from penstock.stores.s3.abilities import Abilities
from penstock.stores.s3.calls import Calls
from penstock.stores.s3.documents import Part
from penstock.stores.s3.parts import LEAST_PART, MIB
from penstock.stores.s3.trouble import Broken, Refused, changed

_LEAST_RATE: Final = 8 * MIB
"""Bytes per second that a server copies at least."""


class CannotCopy(Exception):
    """The server does not copy this, though it is there."""


class Source(NamedTuple):
    """``length`` bytes from ``first`` on of the version ``etag``, of ``size`` bytes, of an object;
    ``key`` is whose file it is, ``None`` of a temporary object."""

    key: str | None
    name: str
    etag: str
    first: int
    length: int
    size: int


async def copied(
    calls: Calls, able: Abilities, name: str, upload: str, number: int, source: Source
) -> Part:
    """UploadPartCopy.

    :raises SourceChanged: the source is another version by now, or gone.
    :raises CannotCopy: the server fails at this source, again and again.
    :raises Refused: as :meth:`Client.call` does: it asks for fewer requests, or the upload is gone.
    """
    headers = {"x-amz-copy-source-if-match": f'"{source.etag}"'}
    # Not of smaller ones, says S3; and one server lists no ETag of what was copied without.
    if source.size > LEAST_PART:
        last = source.first + source.length - 1
        headers["x-amz-copy-source-range"] = f"bytes={source.first}-{last}"
    if not able.copy_if_match:
        await _require(calls, source)
    try:
        part = await calls.upload_part_copy(
            name, upload, number, source.name, headers, work=source.length / _LEAST_RATE
        )
    except Refused as error:
        if error.slow or error.code == "NoSuchUpload":
            raise
        # Names with a "%" are not found by some servers, others break at them.
        await _require(calls, source)
        raise CannotCopy(str(error)) from error
    except Broken as error:
        await _require(calls, source)
        raise CannotCopy(str(error)) from error
    if not able.copy_if_match:
        await _require(calls, source)
    return part


async def _require(calls: Calls, source: Source) -> None:
    """Raise unless the source is there, and is the version it should be."""
    try:
        same = (await calls.head(source.name)).etag == source.etag
    except Refused as error:
        if not error.absent:
            raise
        same = False
    if not same:
        raise CannotCopy("it is gone") if source.key is None else changed(source.key)
