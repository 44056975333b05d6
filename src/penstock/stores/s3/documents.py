"""The XML that S3 speaks."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from penstock.stores.s3.trouble import Broken, Refused

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


def complete_request(parts: Iterable[Part]) -> bytes:
    """The body of CompleteMultipartUpload."""
    root = Element("CompleteMultipartUpload", xmlns="http://s3.amazonaws.com/doc/2006-03-01/")
    for part in parts:
        element = ElementTree.SubElement(root, "Part")
        ElementTree.SubElement(element, "PartNumber").text = str(part.number)
        ElementTree.SubElement(element, "ETag").text = f'"{part.etag}"'
        if part.crc32 is not None:
            ElementTree.SubElement(element, "ChecksumCRC32").text = part.crc32
    return ElementTree.tostring(root, encoding="unicode").encode()


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
