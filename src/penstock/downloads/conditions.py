"""Conditional requests: RFC 9110 §13, as pure functions of header values."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

from penstock.errors import BadRequest
from penstock.octets.codings import split_tag
from penstock.stores.interface import Condition

RequestFields = Mapping[str, str]

_ENTITY_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_ENTITY_TAGS = re.compile(r'[ \t,]*(?:(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*(?:,[ \t,]*|$))+')


def etag_field(etag: str) -> str:
    """A strong entity tag as it stands in headers."""
    return f'"{etag}"'


@lru_cache(1024)
def http_date(modified_ns: int) -> str:
    """``Last-Modified`` for a time in nanoseconds: whole seconds, never rounded up."""
    return format_datetime(datetime.fromtimestamp(modified_ns // 10**9, UTC), usegmt=True)


def parse_etags(header: str) -> list[tuple[bool, str]] | None:
    """The (is weak, opaque tag) list of ``If-Match`` and its kin; ``None`` if malformed."""
    if _ENTITY_TAGS.fullmatch(header) is None:
        return None
    return [(bool(match[1]), match[2]) for match in _ENTITY_TAG.finditer(header)]


def check_write(fields: RequestFields) -> Condition:
    """The precondition of a PUT or DELETE.

    :raises BadRequest: a form that a write cannot mean, such as ``If-None-Match: "tag"``.
    """
    if_none_match = fields.get("If-None-Match")
    if if_none_match is not None and if_none_match.strip() != "*":
        raise BadRequest("writes understand If-None-Match: * only (create, never replace)")
    if_match = fields.get("If-Match")
    if if_match is None:
        return Condition(absent=if_none_match is not None)
    if if_none_match is not None:
        raise BadRequest("If-Match and If-None-Match: * exclude each other; send one of them")
    if if_match.strip() == "*":
        return Condition(present=True)
    tags = parse_etags(if_match)
    if tags is None:
        raise BadRequest('If-Match must be * or a list of entity tags such as "abc"')
    # A weak tag never matches (strong comparison, RFC 9110 §13.1.1); '' matches no file of ours.
    # Who was sent a version in a coding means that version, whatever the coding.
    return Condition(etags=tuple(split_tag(tag)[0] for weak, tag in tags if not weak) or ("",))


def named_first(fields: RequestFields, version: str, codings: Sequence[str]) -> list[str]:
    """``codings``, but those first that the request's conditions name for this version.

    Which representation a condition is held against is the server's choice: it takes the one that
    the client has, so that it need not be sent again in another coding.
    """
    named = {
        coding
        for field in ("If-Match", "If-None-Match")
        for _, tag in parse_etags(fields.get(field, "")) or ()
        for of, coding in [split_tag(tag)]
        if of == version
    }
    return sorted(codings, key=lambda coding: coding not in named)


def precondition_status(
    fields: RequestFields, etag: str | None, modified_ns: int | None
) -> int | None:
    """412 or 304 when the preconditions of a GET say so, in the order of RFC 9110 §13.2.2.

    Without a time of modification conditions on it do not count (§13.1.3, §13.1.4).
    """
    if not _unchanged_for_reader(fields, etag, modified_ns):
        return 412
    return 304 if _already_known(fields, etag, modified_ns) else None


def _unchanged_for_reader(fields: RequestFields, etag: str | None, modified_ns: int | None) -> bool:
    if (if_match := fields.get("If-Match")) is not None:
        return if_match.strip() == "*" or (False, etag) in (parse_etags(if_match) or ())
    since = _date(fields.get("If-Unmodified-Since"))
    if since is not None and modified_ns is not None:
        return modified_ns // 10**9 <= since
    return True


def _already_known(fields: RequestFields, etag: str | None, modified_ns: int | None) -> bool:
    if (if_none_match := fields.get("If-None-Match")) is not None:
        tags = parse_etags(if_none_match) or ()
        return if_none_match.strip() == "*" or any(tag == etag for _, tag in tags)
    since = _date(fields.get("If-Modified-Since"))
    if since is not None and modified_ns is not None:
        return modified_ns // 10**9 <= since
    return False


def range_applies(
    fields: RequestFields, etag: str | None, modified_ns: int | None, now: float
) -> bool:
    """Whether ``If-Range`` (RFC 9110 §13.1.5) lets the ``Range`` header count.

    A date counts only when it is the exact Last-Modified and old enough (over a second, §8.8.2.2)
    that no second change can hide behind it; a weak tag never does.
    """
    if etag is None:
        return False
    if_range = fields.get("If-Range")
    if if_range is None:
        return True
    tag = _ENTITY_TAG.fullmatch(if_range.strip())
    if tag is not None:
        return not tag[1] and tag[2] == etag
    if modified_ns is None:
        return False
    seconds = modified_ns // 10**9
    return _date(if_range) == seconds and seconds < now - 1


def _date(header: str | None) -> int | None:
    """Seconds since 1970 of an HTTP date; ``None`` when absent or not a date (then ignored)."""
    if header is None:
        return None
    try:
        parsed = parsedate_to_datetime(header)
    except (ValueError, TypeError, IndexError):
        return None
    try:
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
    except (OverflowError, ValueError):
        return None
