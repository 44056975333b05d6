"""Keys: the names of files in every store.

A key is a relative UTF-8 path, at most 1,024 bytes (S3's limit), of segments joined by ``/``.
"""

import re

from penstock.errors import BadKey

MAX_KEY_BYTES = 1024
MAX_SEGMENT_BYTES = 255
RESERVED = ".penstock"

# Most keys are, and this is asked once per file of a ZIP.
_is_ordinary = re.compile(r"(?:\w[\w .-]*/)*\w[\w .-]*", re.ASCII).fullmatch
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_key(key: str) -> str:
    """Answer the key if it can name a file.

    :raises BadKey: it cannot; the text says why and what to do.
    """
    if len(key) <= MAX_SEGMENT_BYTES and _is_ordinary(key):
        return key
    reason = _reason(key)
    if reason is not None:
        raise BadKey(f"the key {_shown(key)} {reason}")
    return key


def check_prefix(prefix: str) -> str:
    """Answer the prefix if keys can start with it; the empty prefix and a trailing ``/`` may.

    :raises BadKey: no key can start with it.
    """
    folder, slash, start = prefix.rpartition("/")
    reason = _reason(folder) if slash else None
    # The last segment may still grow into a legal one: "." into ".git".
    if reason is None and start not in ("", ".", "..", RESERVED):
        reason = _reason(start)
    if reason is not None:
        raise BadKey(f"the prefix {_shown(prefix)} {reason}")
    return prefix


def _reason(key: str) -> str | None:
    if not key:
        return "is empty; name the file"
    if key.startswith("/"):
        return "is absolute; drop the leading slash"
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        return "is not valid Unicode; send it as UTF-8"
    if len(encoded) > MAX_KEY_BYTES:
        return f"is {len(encoded):,} bytes long; at most {MAX_KEY_BYTES:,} are allowed"
    if _CONTROL.search(key):
        return "holds a NUL or control character; remove it"
    segments = key.split("/")
    if segments[0] == RESERVED:
        return f"starts with {RESERVED}, which is reserved; choose another name"
    return next(filter(None, map(_segment_reason, segments)), None)


def _segment_reason(segment: str) -> str | None:
    if not segment:
        return "has an empty segment; remove the doubled or trailing slash"
    if segment in (".", ".."):
        return f"has a {segment!r} segment; name the folder itself"
    if len(segment.encode()) > MAX_SEGMENT_BYTES:
        return f"has a segment longer than {MAX_SEGMENT_BYTES} bytes; shorten it"
    return None


def _shown(key: str) -> str:
    return ascii(key if len(key) <= 80 else key[:77] + "...")
