"""From the fields of a creating request to what the upload shall become (tus 1.0, Creation)."""

import re
from secrets import token_hex
from urllib.parse import urljoin, urlsplit

from penstock.errors import BadRequest
from penstock.server.tus.fields import Fields, given, length_deferred, number
from penstock.server.tus.metadata import Metadata
from penstock.server.urls import UPLOADS
from penstock.stores.interface import ALWAYS, Condition
from penstock.stores.keys import check_key
from penstock.uploads import Creation, Kind

_UPLOAD = re.compile(rf"{UPLOADS}/([A-Za-z0-9_-]+)", re.ASCII)


def parse_creation(
    fields: Fields, path: str, condition: Condition = ALWAYS, folder: str = ""
) -> Creation:
    """What a ``POST`` to ``path`` asks for. What has no name gets one in ``folder``, which is empty
    or ends in a slash.

    :raises BadRequest: its fields are malformed or contradict each other.
    :raises BadKey: the name in the metadata cannot name a file.
    """
    concat = (given(fields, "Upload-Concat") or "").strip()
    metadata = Metadata(given(fields, "Upload-Metadata"))
    if not concat:
        return _whole(fields, metadata, condition, folder)
    if concat == "partial":
        return _partial(fields, metadata, concat, folder)
    if concat.startswith("final;"):
        parts = tuple(_part(path, part) for part in _urls(fields, concat))
        return _final(metadata, concat, parts, condition, folder)
    raise BadRequest("Upload-Concat must be partial, or final; and the URLs of the parts")


def _whole(fields: Fields, metadata: Metadata, condition: Condition, folder: str) -> Creation:
    return Creation(
        key=_key(metadata, folder),
        length=_length(fields),
        content_type=metadata.content_type,
        metadata=metadata.field,
        sha256=metadata.sha256,
        condition=condition,
    )


def _partial(fields: Fields, metadata: Metadata, concat: str, folder: str) -> Creation:
    """A part is stored nowhere: its key only lets it be found, the rest is the final's."""
    return Creation(
        key=_key(metadata, folder) if metadata.key or folder else "",
        length=_length(fields),
        kind=Kind.PARTIAL,
        metadata=metadata.field,
        concat=concat,
        group=metadata.text("penstock-group"),
        start=metadata.number("penstock-start"),
    )


def _urls(fields: Fields, concat: str) -> list[str]:
    if "Upload-Length" in fields or "Upload-Defer-Length" in fields:
        raise BadRequest("the length of a final upload is that of its parts; leave it out")
    urls = concat.removeprefix("final;").split()
    if not urls or not concat.isascii():
        raise BadRequest("Upload-Concat: final; needs the URLs of the parts, percent-encoded")
    return urls


def _final(
    metadata: Metadata, concat: str, parts: tuple[str, ...], condition: Condition, folder: str
) -> Creation:
    return Creation(
        key=_key(metadata, folder),
        kind=Kind.FINAL,
        parts=parts,
        content_type=metadata.content_type,
        metadata=metadata.field,
        concat=concat,
        sha256=metadata.sha256,
        condition=condition,
    )


def _key(metadata: Metadata, folder: str) -> str:
    """Where the file goes; clients need not name it, then nobody's file has that name."""
    return check_key(metadata.key or f"{folder}unnamed-{token_hex(8)}")


def _length(fields: Fields) -> int | None:
    length = number(fields, "Upload-Length")
    if length_deferred(fields) == (length is not None):
        raise BadRequest("send either Upload-Length or Upload-Defer-Length: 1")
    return length


def _part(path: str, reference: str) -> str:
    """The id in the URL of a part, which may be relative to ``path``.

    Only the path counts: behind a proxy this server is not known by the name that clients use.

    :raises BadRequest: it is not an upload's URL.
    """
    try:
        place = urlsplit(urljoin(f"http://localhost{path}", reference))
    except ValueError:  # brackets that hold no address
        raise _not_a_part() from None
    found = _UPLOAD.fullmatch(place.path)
    if found is None or place.query or place.scheme not in ("http", "https"):
        raise _not_a_part()
    return found[1]


def _not_a_part() -> BadRequest:
    return BadRequest(f"each part must be the URL of an upload of this server: {UPLOADS}/…")
