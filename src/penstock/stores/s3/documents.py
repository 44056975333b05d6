"""The XML that S3 speaks."""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from penstock.stores.s3.trouble import Broken, Refused

_NAMESPACE: Final = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
_STATUS: Final = {
    "AccessDenied": 403,
    "BadDigest": 400,
    "ConditionalRequestConflict": 409,
    "EntityTooLarge": 400,
    "EntityTooSmall": 400,
    "InvalidArgument": 400,
    "InvalidPart": 400,
    "InvalidPartOrder": 400,
    "InvalidRequest": 400,
    "MalformedXML": 400,
    "NoSuchBucket": 404,
    "NoSuchKey": 404,
    "NoSuchUpload": 404,
    "NotImplemented": 501,
    "OperationAborted": 409,
    "PreconditionFailed": 412,
    "SlowDown": 503,
}
"""Of errors that come with status 200.
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""


class Listed(NamedTuple):
    """One object of a listing; its name is the full one."""

    name: str
    size: int
    modified_ns: int
    etag: str


class ListPage(NamedTuple):
    """One answer to ListObjectsV2; ``token`` continues it, ``None`` on the last."""

    objects: Sequence[Listed]
    prefixes: Sequence[str]
    token: str | None


class Part(NamedTuple):
    """A part that S3 has; ``crc32`` in base64 if the server takes checksums."""

    number: int
    etag: str
    crc32: str | None = None


class ListedPart(NamedTuple):
    """A part as S3 lists it: ``size`` in bytes, ``crc32`` in base64 if the server tells it."""

    number: int
    etag: str
    size: int
    crc32: str | None = None


class PartPage(NamedTuple):
    """One answer that lists parts; ``marker`` continues it, ``None`` on the last."""

    parts: Sequence[ListedPart]
    marker: str | None


def parse(body: bytes) -> Element:
    """The root element, with the namespaces left out.

    :raises Broken: it is not XML.
    """
    try:
        root = ElementTree.fromstring(body.strip())  # noqa: S314 - expat bounds what entities expand to
    except ElementTree.ParseError:
        raise Broken("its answer is not XML") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def refusal(status: int, body: bytes) -> Refused:
    """What an answer other than success says."""
    try:
        root = parse(body)
    except Broken:
        return Refused(status)
    if root.tag != "Error":
        return Refused(status)
    return Refused(status, root.findtext("Code", ""), root.findtext("Message", ""))


def list_page(body: bytes) -> ListPage:
    """Read the answer to ListObjectsV2 with ``encoding-type=url``.

    :raises Broken: it is something else.
    """
    root = parse(body)
    if root.tag != "ListBucketResult":
        raise Broken("its answer is no listing")
    # Who does not know the parameter does not encode, and does not say that it did.
    decode = unquote_plus if root.findtext("EncodingType") == "url" else str
    try:
        objects = [
            _listed(element, decode(_text(element, "Key"))) for element in root.iterfind("Contents")
        ]
        prefixes = [decode(_text(element, "Prefix")) for element in root.iterfind("CommonPrefixes")]
    except ValueError:
        raise Broken("its listing is malformed") from None
    more = root.findtext("IsTruncated") == "true"
    token = root.findtext("NextContinuationToken") if more else None
    if more and not token:
        raise Broken("its listing tells no continuation")
    return ListPage(objects, prefixes, token)


def upload_id(body: bytes) -> str:
    """The id in the answer to CreateMultipartUpload. Raises likewise."""
    return _required(parse(body), "InitiateMultipartUploadResult", "UploadId")


def completed_etag(body: bytes) -> str:
    """The ETag in the answer to CompleteMultipartUpload.

    :raises Refused: the status was 200, and the answer is an error all the same.
    """
    root = parse(body)
    if root.tag == "Error":
        raise refusal(_STATUS.get(root.findtext("Code", ""), 500), body)
    return bare(_required(root, "CompleteMultipartUploadResult", "ETag"))


def copied_part(number: int, body: bytes) -> Part:
    """The part in the answer to UploadPartCopy. Raises as :func:`completed_etag` does."""
    root = parse(body)
    if root.tag == "Error":
        raise refusal(_STATUS.get(root.findtext("Code", ""), 500), body)
    etag = bare(_required(root, "CopyPartResult", "ETag"))
    return Part(number, etag, root.findtext("ChecksumCRC32") or None)


def part_page(body: bytes) -> PartPage:
    """Read the answer to ListParts.

    :raises Broken: it is something else.
    """
    root = parse(body)
    if root.tag not in ("ListPartsResult", "ListPartsResponse"):  # as moto calls it
        raise Broken("its answer lists no parts")
    return _parts(root)


def attributes_page(body: bytes) -> PartPage:
    """Read the parts in the answer to GetObjectAttributes, which tells no ETags of them.

    :raises Broken: it is something else.
    """
    root = parse(body)
    if root.tag != "GetObjectAttributesResponse":
        raise Broken("its answer has no attributes")
    parts = root.find("ObjectParts")
    return PartPage([], None) if parts is None else _parts(parts)


def uploads_page(body: bytes) -> Sequence[tuple[str, str]]:
    """The names and upload ids in the answer to ListMultipartUploads. Raises likewise."""
    root = parse(body)
    if root.tag != "ListMultipartUploadsResult":
        raise Broken("its answer lists no uploads")
    decode = unquote_plus if root.findtext("EncodingType") == "url" else str
    try:
        return [
            (decode(_text(element, "Key")), _text(element, "UploadId"))
            for element in root.iterfind("Upload")
        ]
    except ValueError:
        raise Broken("its list of uploads is malformed") from None


def complete_request(parts: Iterable[Part]) -> bytes:
    """The body of CompleteMultipartUpload."""
    # Not by way of elements: of 10,000 parts they would hold up the event loop.
    listed = "".join(map(_part, parts))
    return f"<CompleteMultipartUpload {_NAMESPACE}>{listed}</CompleteMultipartUpload>".encode()


def _part(part: Part) -> str:
    told = f'<ETag>"{escape(part.etag)}"</ETag>'
    if part.crc32 is not None:
        told += f"<ChecksumCRC32>{escape(part.crc32)}</ChecksumCRC32>"
    return f"<Part><PartNumber>{part.number}</PartNumber>{told}</Part>"


def crc32_of(field: str) -> int:
    """The value of a ``ChecksumCRC32``.

    :raises ValueError: it is none.
    """
    try:
        value = b64decode(field, validate=True)
    except Base64Error:
        raise ValueError(field) from None
    if len(value) != 4:
        raise ValueError(field)
    return int.from_bytes(value, "big")


def crc32_field(value: int) -> str:
    """As ``ChecksumCRC32`` and ``x-amz-checksum-crc32`` have it."""
    return b64encode(value.to_bytes(4, "big")).decode()


def bare(etag: str) -> str:
    """An entity tag without its quotes."""
    return etag.strip().strip('"')


def _listed(element: Element, name: str) -> Listed:
    modified = datetime.fromisoformat(_text(element, "LastModified"))
    return Listed(
        name,
        int(_text(element, "Size")),
        # HEAD tells whole seconds, and a file has one time.
        int(modified.timestamp()) * 1_000_000_000,
        bare(_text(element, "ETag")),
    )


def _parts(root: Element) -> PartPage:
    try:
        parts = [_listed_part(element) for element in root.iterfind("Part")]
    except ValueError:
        raise Broken("its list of parts is malformed") from None
    more = root.findtext("IsTruncated") == "true"
    marker = root.findtext("NextPartNumberMarker") if more else None
    if more and not marker:
        raise Broken("its list of parts tells no continuation")
    return PartPage(parts, marker)


def _listed_part(element: Element) -> ListedPart:
    return ListedPart(
        int(_text(element, "PartNumber")),
        bare(element.findtext("ETag", "")),
        int(_text(element, "Size")),
        element.findtext("ChecksumCRC32") or None,
    )


def _text(element: Element, name: str) -> str:
    value = element.findtext(name)
    if value is None:
        raise ValueError(name)
    return value


def _required(root: Element, tag: str, name: str) -> str:
    value = root.findtext(name) if root.tag == tag else None
    if not value:
        raise Broken(f"its answer is no {tag}")
    return value
