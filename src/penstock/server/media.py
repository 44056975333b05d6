"""Content types: what a file is served as, and whether a browser may show it here."""

import re

from penstock.octets.media_types import DEFAULT, type_by_name
from penstock.stores.interface import FileInfo

# Stored files are strangers: the browser must neither guess their type nor let them run script.
SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; media-src 'self'; "
    "style-src 'unsafe-inline'; sandbox",
}

# Types that cannot run script in our origin. SVG and HTML can, so they are only downloaded.
_SHOWN = re.compile(r"(image/(?!svg)|audio/|video/|text/plain|application/pdf)", re.IGNORECASE)


def content_type_of(info: FileInfo) -> str:
    """The type a file is served with: as given or sniffed when it came, else by its name."""
    return info.content_type or type_by_name(info.key) or DEFAULT


def disposition_of(content_type: str) -> str:
    """``inline`` for what a browser may show safely, else ``attachment``."""
    return "inline" if _SHOWN.match(content_type) else "attachment"
