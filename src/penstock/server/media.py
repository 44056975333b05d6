"""Content types: what a file is served as, and whether a browser may show it here."""

import mimetypes
import re
from functools import lru_cache

from penstock.stores.interface import FileInfo

DEFAULT = "application/octet-stream"

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"[ !#-\[\]-~]*"'
_MEDIA_TYPE = re.compile(rf"{_WORD}/{_WORD}[ \t]*(;[ \t]*{_WORD}=({_WORD}|{_QUOTED})[ \t]*)*")
# What curl and browsers send when nobody said anything about the type.
_SAYS_NOTHING = {"", DEFAULT, "application/x-www-form-urlencoded"}
# Types that cannot run script in our origin. SVG and HTML can, so they are only downloaded.
_SHOWN = re.compile(r"(image/(?!svg)|audio/|video/|text/plain|application/pdf)", re.IGNORECASE)

# The platform's own table differs from machine to machine; ours does not.
_types = mimetypes.MimeTypes(())


def given_type(header: str | None) -> str | None:
    """The content type an uploader gave, or ``None`` when it says nothing useful."""
    value = (header or "").strip()
    if value.partition(";")[0].strip().lower() in _SAYS_NOTHING or len(value) > 255:
        return None
    return value if _MEDIA_TYPE.fullmatch(value) else None


def content_type_of(info: FileInfo) -> str:
    """The type a file is served with: as given, else by its name."""
    if info.content_type is not None:
        return info.content_type
    return _guessed(info.key.rpartition("/")[2])


@lru_cache(1024)
def _guessed(name: str) -> str:
    guessed, coding = _types.guess_type(name)
    return guessed if guessed and not coding else DEFAULT


def disposition_of(content_type: str) -> str:
    """``inline`` for what a browser may show safely, else ``attachment``."""
    return "inline" if _SHOWN.match(content_type) else "attachment"
