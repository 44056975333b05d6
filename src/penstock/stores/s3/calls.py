"""The calls of the S3 API that the store makes, one function each.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple, TypeVar

from penstock.stores.s3.client import Answer, Body, Call, Client
from penstock.stores.s3.documents import (
    ListedPart,
    ListPage,
    Part,
    attributes_page,
    bare,
    complete_request,
    completed_etag,
    copied_part,
    crc32_of,
    list_page,
    part_page,
    upload_id,
    uploads_page,
)
from penstock.stores.s3.signing import encoded
from penstock.stores.s3.trouble import Broken, Refused

SHA256: Final = "x-amz-meta-penstock-sha256"
WRITE: Final = "x-amz-meta-penstock-write"
"""Names the write that made an object, so that one whose answer was lost can be told."""

T = TypeVar("T")

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
    composite: bool = False
    """Whether there is a CRC-32 that is made of those of the parts."""


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

    async def upload_part_copy(
        self,
        name: str,
        upload: str,
        number: int,
        source: str,
        headers: Mapping[str, str],
        *,
        work: float = 0.0,
    ) -> Part:
        """UploadPartCopy, of the object ``source`` in the same bucket.

        ``work`` is how many seconds more than usual it may take.
        """
        which = [("partNumber", str(number)), ("uploadId", upload)]
        place = f"{self.client.bucket}/{encoded(source, '/')}"
        call = Call("PUT", name, which, {**headers, "x-amz-copy-source": place}, work=work)
        return await self._call_and_read(call, lambda body: copied_part(number, body))

    async def list_parts(self, name: str, upload: str) -> Sequence[ListedPart]:
        """ListParts, to the last page."""
        parts: list[ListedPart] = []
        which = [("uploadId", upload), ("max-parts", "1000")]
        marker: list[tuple[str, str]] = []
        while True:
            page = part_page((await self._call(Call("GET", name, which + marker))).body)
            parts += page.parts
            if page.marker is None:
                return parts
            marker = [("part-number-marker", page.marker)]

    async def attributes(self, name: str) -> Sequence[ListedPart]:
        """GetObjectAttributes, to the last page of the parts that the object was made of."""
        parts: list[ListedPart] = []
        headers = {"x-amz-object-attributes": "ObjectParts", "x-amz-max-parts": "1000"}
        while True:
            call = Call("GET", name, [("attributes", "")], headers)
            page = attributes_page((await self._call(call)).body)
            parts += page.parts
            if page.marker is None:
                return parts
            headers["x-amz-part-number-marker"] = page.marker

    async def list_uploads(self, prefix: str) -> Sequence[tuple[str, str]]:
        """ListMultipartUploads, up to a thousand: names and upload ids."""
        which = [("encoding-type", "url"), ("prefix", prefix), ("uploads", "")]
        return uploads_page((await self._call(Call("GET", parameters=which))).body)

    async def complete(
        self,
        name: str,
        upload: str,
        parts: Iterable[Part],
        headers: Mapping[str, str],
        *,
        work: float = 0.0,
    ) -> str:
        """CompleteMultipartUpload; answers the object's ETag."""
        body = complete_request(parts)
        call = Call("POST", name, [("uploadId", upload)], headers, body, len(body), work=work)
        return await self._call_and_read(call, completed_etag)

    async def abort(self, name: str, upload: str) -> None:
        """AbortMultipartUpload; succeeds too if there is none."""
        try:
            await self._call(Call("DELETE", name, [("uploadId", upload)]))
        except Refused as error:
            if error.status != 404:
                raise

    async def _call_and_read(self, call: Call, read: Callable[[bytes], T]) -> T:
        """As :meth:`_call`, where errors may come with status 200, after white space that keeps
        the connection alive."""
        failures = 0
        while True:
            answer = await self._call(call)
            try:
                return read(answer.body)
            except (Refused, Broken) as error:
                if not self.patient:
                    raise
                failures += 1
                await self.client.pause(error, failures)

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
            crc32=None if _is_composite(headers) else _crc32(headers),
            write=headers.get(WRITE),
            composite=_is_composite(headers),
        )
    except (KeyError, ValueError):
        raise Broken("its answer lacks a field or has a malformed one") from None


def _sha256(value: str) -> bytes | None:
    """Other programs may write metadata too: what is no SHA-256 is none."""
    return bytes.fromhex(value) if _HEX.fullmatch(value) else None


def _crc32(headers: Mapping[str, str]) -> int | None:
    value = headers.get("x-amz-checksum-crc32")
    return crc32_of(value) if value else None


def _is_composite(headers: Mapping[str, str]) -> bool:
    """Whether its CRC-32 is made of those of its parts, and not of its bytes."""
    value = headers.get("x-amz-checksum-crc32", "")
    told = headers.get("x-amz-checksum-type", "FULL_OBJECT") != "FULL_OBJECT"
    return bool(value) and (told or "-" in value)


def _etag(headers: Mapping[str, str]) -> str:
    if not headers.get("ETag"):
        raise Broken("its answer has no ETag")
    return bare(headers["ETag"])
