"""``Content-Type`` as uploaders and other servers give it (RFC 9110 §8.3)."""

import re

from penstock.octets.media_types import DEFAULT

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"[ !#-\[\]-~]*"'
_MEDIA_TYPE = re.compile(rf"{_WORD}/{_WORD}[ \t]*(;[ \t]*{_WORD}=({_WORD}|{_QUOTED})[ \t]*)*")
# What curl and browsers send when nobody said anything about the type.
_SAYS_NOTHING = {"", DEFAULT, "application/x-www-form-urlencoded"}


def given_type(header: str | None) -> str | None:
    """The content type that was given, or ``None`` when it says nothing useful."""
    value = (header or "").strip()
    if value.partition(";")[0].strip().lower() in _SAYS_NOTHING or len(value) > 255:
        return None
    return value if _MEDIA_TYPE.fullmatch(value) else None
