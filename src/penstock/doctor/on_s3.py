"""A store in S3: where it is, whether it can be used, and what the server can do."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from penstock.doctor.findings import Finding, Findings, State, broken, clock, ok, warning
from penstock.errors import PenstockError
from penstock.stores.s3.clock import ahead
from penstock.stores.s3.shared import for_caller
from penstock.stores.s3.store import S3Store
from penstock.stores.s3.trouble import Broken

ABILITIES: Mapping[str, tuple[str, str]] = {
    "put_if_absent": (
        "PutObject obeys If-None-Match: *",
        "two processes may both create a small file",
    ),
    "put_if_match": (
        "PutObject obeys If-Match",
        "two processes may replace the same version of a small file, and the later wins",
    ),
    "complete_if_absent": (
        "CompleteMultipartUpload obeys If-None-Match: *",
        "two processes may both create a large file",
    ),
    "complete_if_match": (
        "CompleteMultipartUpload obeys If-Match",
        "two processes may replace the same version of a large file, and the later wins",
    ),
    "delete_if_match": (
        "DeleteObject obeys If-Match",
        "a conditional delete may remove what another process has just stored",
    ),
    "crc32": (
        "PutObject verifies CRC-32",
        "bytes are verified by their MD5, which takes more of the processor",
    ),
    "crc32_of_multipart": (
        "multipart uploads keep the CRC-32 of the whole",
        "the CRC-32 of large files is in the catalog only",
    ),
    "md5_etag": (
        "ETags are MD5s",
        "the ETag of a small file is not held against its bytes",
    ),
    "md5_etag_of_parts": (
        "ETags of parts are MD5s",
        "the ETag of a part is not held against its bytes",
    ),
    "copy": (
        "UploadPartCopy copies",
        "archives are read and sent by Penstock, instead of being put together inside S3",
    ),
    "copy_if_match": (
        "UploadPartCopy obeys a condition on its source",
        "sources are looked at again after they were copied",
    ),
    "copy_crc32": (
        "UploadPartCopy tells the CRC-32",
        "a file whose CRC-32 nobody knows is read before it is archived",
    ),
    "forms": (
        "forms are taken",
        "small files that Uppy sends come through Penstock; those in parts do not",
    ),
}
"""Each ability by the name it has in the findings of the store, and what is done without it."""

_WRITTEN = "S3 bucket can be written"
_DOUBTFUL = 30.0
_FATAL = 900.0
"""Seconds: S3 refuses what was signed a quarter of an hour away."""
_PATIENCE = 30.0
_LONGEST = 120.0
"""Seconds for one answer, and for some dozens: a server waits longer than who asks here."""


async def look_at_s3(store: S3Store) -> Findings:
    """What there is to say of it."""
    place = store.shared.place
    yield ok("S3 server", f"{place.origin}, bucket {place.bucket}, region {place.region}")
    for look in (_credentials, _clock, _listed):
        found = await look(store)
        yield found
        if found.state is State.BROKEN:
            return
    if store.shared.options.anonymous:
        yield warning(_WRITTEN, "not tried: requests are anonymous")
        return
    try:
        async with _in_time(_LONGEST):
            able = await store.abilities()
            forms = await store.direct.takes_forms()
    except PenstockError as error:
        yield broken(_WRITTEN, error.detail)
        return
    yield ok(_WRITTEN, "objects were written, and removed again")
    for name, present in {**able.described(), "forms": forms}.items():
        yield _ability(name, present)


async def _credentials(store: S3Store) -> Finding:
    name = "S3 credentials"
    try:
        key = await store.links.access_key()
    except PenstockError as error:
        return broken(name, error.detail)
    if key is None:
        return ok(name, "none: requests are anonymous")
    source = "the settings" if store.shared.options.access_key else "the AWS chain"
    return ok(name, f"access key {key}, from {source}")


async def _clock(store: S3Store) -> Finding:
    try:
        with for_caller(""):
            seconds = await ahead(store.shared.place)
    except PenstockError as error:
        return broken("S3 server can be reached", error.detail)
    name = "S3 server's clock"
    if seconds is None:
        return warning(name, "it tells no time")
    return clock(name, seconds, doubtful=_DOUBTFUL, fatal=_FATAL)


async def _listed(store: S3Store) -> Finding:
    name = "S3 bucket can be listed"
    try:
        async with _in_time(_PATIENCE):  # not store.check, which would have it swept
            await store.shared.calls.list(store.shared.place.prefix, limit=1)
    except PenstockError as error:
        return broken(name, error.detail)
    return ok(name, "a page of it came")


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    """Raises what S3 refuses, or does not answer in time, as the error that callers know."""
    with for_caller(""):
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise Broken("it does not answer in time") from None


def _ability(name: str, present: bool) -> Finding:
    what, instead = ABILITIES.get(name, (name, "it is done without"))
    if present:
        return ok(f"S3: {what}", "yes")
    return Finding(f"S3: {what}", State.ABSENT, f"no: {instead}")
