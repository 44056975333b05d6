"""Header fields of other servers' answers, read with tolerance: what makes no sense is absent."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from penstock.errors import BadRequest
from penstock.octets.digests import parse_digest_field

_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_PARAMETER = re.compile(
    r';\s*(?P<name>[\w!#$%&+^`|~.-]+\*?)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^;"\s]*))'
)
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[^']*'(.+)", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def strong_etag(header: str | None) -> str | None:
    """An entity tag with its quotes, if it is a strong one (RFC 9110 §8.8.1)."""
    if header is None or _STRONG_TAG.fullmatch(header) is None:
        return None
    return header


def content_length(header: str | None) -> int | None:
    """Bytes (RFC 9110 §8.6)."""
    return int(header) if header and re.fullmatch(r"[0-9]{1,18}", header) else None


def http_seconds(header: str | None) -> int | None:
    """An HTTP date as seconds since 1970 (RFC 9110 §5.6.7)."""
    try:
        parsed = parsedate_to_datetime(header or "")
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def is_fresh(modified: str | None, date: str | None) -> bool:
    """Whether the file was modified less than a second before the answer was made.

    Then ``Last-Modified`` is a weak validator (RFC 9110 §8.8.2.2).
    """
    then, now = http_seconds(modified), http_seconds(date)
    return then is not None and now is not None and now - then < 1


def repr_digest(header: str | None) -> bytes | None:
    """The SHA-256 (32 bytes) of the whole file (RFC 9530 §3)."""
    try:
        return parse_digest_field("Repr-Digest", header or "")
    except BadRequest:
        return None


def retry_after(header: str | None) -> float | None:
    """Seconds from now (RFC 9110 §10.2.3)."""
    if header and re.fullmatch(r"[0-9]{1,9}", header):
        return float(header)
    when = http_seconds(header)
    return None if when is None else max(0.0, when - datetime.now(UTC).timestamp())


def file_name(header: str | None) -> str | None:
    """The name in ``Content-Disposition`` (RFC 6266 §4.3): its last segment, never a path."""
    told: dict[str, str] = {}
    for match in _PARAMETER.finditer(header or ""):
        quoted = match["quoted"]
        value = match["token"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        told.setdefault(match["name"].lower(), value)
    name = _extended(told.get("filename*", "")) or _readable(told.get("filename", ""))
    name = _UNPRINTABLE.sub("", name).replace("\\", "/").rpartition("/")[2].strip()
    return name if name not in ("", ".", "..") else None


def _extended(value: str) -> str:
    """A value with its character set (RFC 8187 §3.2); empty if it is none."""
    match = _EXTENDED.fullmatch(value)
    if match is None:
        return ""
    return unquote_to_bytes(match[2]).decode(match[1], "replace")


def _readable(value: str) -> str:
    """Bytes that are no UTF-8 are taken for ISO 8859-1, as HTTP once had it."""
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
