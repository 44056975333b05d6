"""The calls of the S3 API that the store makes, one function each.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from penstock.stores.s3.client import Answer, Body, Call, Client
from penstock.stores.s3.documents import (
    ListPage,
    Part,
    bare,
    complete_request,
    completed_etag,
    list_page,
    upload_id,
)
from penstock.stores.s3.trouble import Broken, Refused

SHA256: Final = "x-amz-meta-penstock-sha256"
WRITE: Final = "x-amz-meta-penstock-write"
"""Names the write that made an object, so that one whose answer was lost can be told."""

_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")

UNTYPED: Final = "application/octet-stream"
"""The type of what nobody has told the type of."""

_UNTYPED: Final = frozenset({"binary/octet-stream", UNTYPED})


class Head(NamedTuple):
    """What HEAD tells of an object."""

    size: int
    modified_ns: int
    etag: str
    content_type: str | None
    sha256: bytes | None
    crc32: int | None
    write: str | None


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls; ``patient`` ones are tried again when they fail in passing.

    All raise :class:`Refused` and :class:`Broken` as :meth:`Client.call` does.
    """

    client: Client
    patient: bool = True

    @property
    def once(self) -> "Calls":
        """The same with one try."""
        return replace(self, patient=False)

    async def head(self, name: str) -> Head:
        """HeadObject, with the checksum if the server keeps one."""
        call = Call("HEAD", name, headers={"x-amz-checksum-mode": "ENABLED"})
        return head_of((await self._call(call)).headers)

    async def put(
        self,
        name: str,
        headers: Mapping[str, str],
        body: Body | bytes,
        length: int,
        *,
        etag: str | None = None,
    ) -> str:
        """PutObject; answers the ETag, which must be ``etag`` if that is given."""
        call = Call("PUT", name, headers=headers, body=body, length=length, etag=etag)
        return _etag((await self._call(call)).headers)

    async def get(self, name: str) -> bytes:
        """GetObject, of a small one of our own."""
        return (await self._call(Call("GET", name))).body

    async def delete(self, name: str, headers: Mapping[str, str] | None = None) -> None:
        """DeleteObject, which succeeds too if there is none."""
        await self._call(Call("DELETE", name, headers=headers or {}))

    async def list(
        self,
        prefix: str,
        *,
        after: str = "",
        token: str | None = None,
        limit: int = 1000,
        delimiter: str = "",
    ) -> ListPage:
        """ListObjectsV2."""
        parameters = [
            ("list-type", "2"),
            ("encoding-type", "url"),
            ("max-keys", str(limit)),
            ("prefix", prefix),
        ]
        if delimiter:
            parameters.append(("delimiter", delimiter))
        if token is not None:
            parameters.append(("continuation-token", token))
        elif after:
            parameters.append(("start-after", after))
        return list_page((await self._call(Call("GET", parameters=parameters))).body)

    async def create(self, name: str, headers: Mapping[str, str]) -> str:
        """CreateMultipartUpload; answers its id."""
        call = Call("POST", name, [("uploads", "")], headers)
        return upload_id((await self._call(call)).body)

    async def upload_part(
        self,
        name: str,
        upload: str,
        number: int,
        headers: Mapping[str, str],
        body: Body | bytes,
        length: int,
        *,
        etag: str | None = None,
    ) -> Part:
        """UploadPart; its ETag must be ``etag`` if that is given."""
        which = [("partNumber", str(number)), ("uploadId", upload)]
        answer = await self._call(Call("PUT", name, which, headers, body, length, etag))
        return Part(number, _etag(answer.headers), headers.get("x-amz-checksum-crc32"))

    async def complete(
        self, name: str, upload: str, parts: Iterable[Part], headers: Mapping[str, str]
    ) -> str:
        """CompleteMultipartUpload; answers the object's ETag."""
        body = complete_request(parts)
        call = Call("POST", name, [("uploadId", upload)], headers, body, len(body))
        # Its errors may come with status 200, after white space that keeps the connection alive.
        failures = 0
        while True:
            answer = await self._call(call)
            try:
                return completed_etag(answer.body)
            except (Refused, Broken) as error:
                failures += 1
                await self.client.pause(error, failures)

    async def abort(self, name: str, upload: str) -> None:
        """AbortMultipartUpload; succeeds too if there is none."""
        try:
            await self._call(Call("DELETE", name, [("uploadId", upload)]))
        except Refused as error:
            if error.status != 404:
                raise

    async def _call(self, call: Call) -> Answer:
        return await (self.client.call(call) if self.patient else self.client.call_once(call))


def head_of(headers: Mapping[str, str]) -> Head:
    """Read the fields of an answer to HEAD.

    :raises Broken: one of them is missing or malformed.
    """
    try:
        modified = parsedate_to_datetime(headers["Last-Modified"])
        content_type = headers.get("Content-Type")
        return Head(
            size=int(headers["Content-Length"]),
            modified_ns=int(modified.timestamp()) * 1_000_000_000,
            etag=bare(headers["ETag"]),
            content_type=None if content_type in _UNTYPED else content_type,
            sha256=_sha256(headers.get(SHA256, "")),
            crc32=_crc32(headers),
            write=headers.get(WRITE),
        )
    except (KeyError, ValueError):
        raise Broken("its answer lacks a field or has a malformed one") from None


def _sha256(value: str) -> bytes | None:
    """Other programs may write metadata too: what is no SHA-256 is none."""
    return bytes.fromhex(value) if _HEX.fullmatch(value) else None


def _crc32(headers: Mapping[str, str]) -> int | None:
    """Of the whole object: a checksum of its parts' checksums says ``COMPOSITE`` or ``-N``."""
    value = headers.get("x-amz-checksum-crc32", "")
    composite = headers.get("x-amz-checksum-type", "FULL_OBJECT") != "FULL_OBJECT"
    if not value or "-" in value or composite:
        return None
    return int.from_bytes(b64decode(value, validate=True), "big")


def _etag(headers: Mapping[str, str]) -> str:
    if not headers.get("ETag"):
        raise Broken("its answer has no ETag")
    return bare(headers["ETag"])
