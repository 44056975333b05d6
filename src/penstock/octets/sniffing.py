"""The media type that the first bytes of a file show.

Signatures of binary formats are ``filetype``'s. Text is judged here, because a table of signatures
takes too much of it for something else: a CSV file may begin with ``BM``, ``MZ`` or ``GIF``.

What begins as a page (HTML, XHTML, SVG, XML), with which a browser could run script, is never
called plain text, an image, or anything else that browsers are let show.
"""

import codecs
import re
from typing import Final

import filetype

from penstock.octets.media_types import DEFAULT, type_by_name

FIRST: Final = 4096
"""Bytes from the start of a file that are looked at."""

_HTML: Final = "text/html"
_XML: Final = "text/xml"
_PLAIN: Final = "text/plain"
_OLE: Final = "application/x-ole-storage"
_OLE_SIGNATURE: Final = bytes.fromhex("d0cf11e0a1b11ae1")

# Registered names for what the library calls otherwise.
_REGISTERED: Final = {
    "application/font-sfnt": "font/sfnt",
    "application/font-woff": "font/woff",
    "application/x-rar-compressed": "application/vnd.rar",
    "application/x-sqlite3": "application/vnd.sqlite3",
    "audio/x-flac": "audio/flac",
    "image/jpx": "image/jp2",
    "image/x-icon": "image/vnd.microsoft.icon",
    "video/x-matroska": "video/matroska",
}

# Types that leave open what a file is, because other formats are made of them or because a few
# bytes are all they show; and what a name can make of them: a media type or the start of some.
_DOCUMENTS: Final = "application/vnd.openxmlformats-officedocument."
_MEDIA: Final = ("audio/", "video/", "application/ogg")
_ANYTHING: Final = ("",)
_OPEN: Final = {
    "application/zip": ("application/", "model/"),
    # So does a ZIP of a folder begin that is called as the documents call theirs.
    f"{_DOCUMENTS}presentationml.presentation": ("application/zip",),
    f"{_DOCUMENTS}spreadsheetml.sheet": ("application/zip",),
    f"{_DOCUMENTS}wordprocessingml.document": ("application/zip",),
    _OLE: ("application/",),
    "audio/ogg": _MEDIA,
    "video/matroska": _MEDIA,
    "video/mp4": _MEDIA,
    "video/quicktime": _MEDIA,
    "video/webm": _MEDIA,
    "video/x-ms-wmv": _MEDIA,
    "font/sfnt": ("font/",),
    "font/woff": ("font/",),
    "image/apng": ("image/png",),
    "image/tiff": ("image/",),
    "application/postscript": _ANYTHING,
    "application/x-compress": _ANYTHING,
    "application/x-msdownload": _ANYTHING,
    "audio/aac": _ANYTHING,
    "audio/mpeg": _ANYTHING,
    "image/bmp": _ANYTHING,
    _HTML: ("text/", "application/", "image/svg"),
    _XML: ("text/", "application/", "image/svg", "model/"),
    _PLAIN: _ANYTHING,
}
# Types that their first bytes always show: a name cannot claim them for other bytes.
_EVIDENT: Final = """
    application/gzip application/pdf application/vnd.rar application/vnd.sqlite3 application/wasm
    application/x-7z-compressed application/x-bzip2 application/x-xz application/zip
    application/zstd audio/flac audio/ogg image/avif image/gif image/heic image/jpeg image/png
    image/vnd.adobe.photoshop image/webp video/matroska video/webm
"""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_PRINTED: Final = (
    ("%PDF-", "application/pdf"),
    ("{\\rtf", "application/rtf"),
    ("%!PS", "application/postscript"),
)
# White space, comments and processing instructions before the root element.
_ASIDE: Final = re.compile(r"\s+|<!--.*?-->|<\?xml[\s-].*?\?>", re.DOTALL)
_ROOT: Final = re.compile(r"<(?:!doctype\s+)?([a-z][\w.:-]*)(?=[\s/>])", re.IGNORECASE)
_CUT_TAG: Final = re.compile(r"<[!a-z][^\s/>]*\Z", re.IGNORECASE)
# Elements that an HTML page may begin with (WHATWG MIME Sniffing §7.1), and their like.
_HTML_ROOTS: Final = """
    a article b base body br center details div font form frameset h1 h2 h3 h4 h5 h6 head header
    html iframe img link main meta nav noscript object ol p picture pre script section span style
    table template title ul video
"""
_evident, _html_roots = (frozenset(words.split()) for words in (_EVIDENT, _HTML_ROOTS))


def content_type_of_bytes(first: bytes | bytearray, name: str) -> str | None:
    """The media type of a file that begins with ``first``; ``None`` if they do not show it.

    ``first`` is the whole of a file shorter than :data:`FIRST`, else at least so many bytes.
    ``name`` is the file's name or key: where the bytes leave open what the file is (a ZIP may be
    a document, plain text a table), its extension tells.
    """
    first = bytes(first[:FIRST])
    if not first:
        return None
    text = _text(first)
    # Pages in other character sets begin alike, and browsers forgive them control characters.
    shown = _page(first.removeprefix(codecs.BOM_UTF8).decode("latin-1") if text is None else text)
    if shown is None:
        shown = _of_binary(first) if text is None else _of_text(text)
    if shown is None:
        return None
    named = type_by_name(name)
    return named if named is not None and _can_be(named, shown) else shown


def _can_be(named: str, shown: str) -> bool:
    """Can a file whose bytes show ``shown`` be what its name tells?"""
    choices = _OPEN.get(shown, ())
    if shown in (_HTML, _XML) and named == _PLAIN:
        return False
    return named in choices or (named not in _evident and named.startswith(choices))


def _text(first: bytes) -> str | None:
    """The bytes as text in UTF-8, or in UTF-16 that says so; ``None`` if they are something else.

    Text has no control characters but those that a text file has (WHATWG MIME Sniffing §3).
    """
    coding = "utf-16" if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    try:
        # The last character may be cut where the file goes on.
        text = codecs.getincrementaldecoder(coding)().decode(first, len(first) < FIRST)
    except UnicodeDecodeError:
        return None
    return None if _CONTROL.search(text) else text.removeprefix("\ufeff")


def _page(text: str) -> str | None:
    """What a browser would make of text that begins as a page does."""
    at = 0
    while aside := _ASIDE.match(text, at):
        at = aside.end()
    found = _ROOT.match(text, at)
    root = found[1].lower() if found else ""
    is_xml = text.lstrip().startswith("<?xml")
    if root.rpartition(":")[2] == "svg":
        return "image/svg+xml"
    if root in _html_roots:
        return "application/xhtml+xml" if is_xml else _HTML
    if is_xml:
        return _XML
    # What browsers take a comment for; and a tag that is cut here may be any.
    begun = text.lstrip().startswith("<!--") or _CUT_TAG.match(text, at)
    return _HTML if begun else None


def _of_text(text: str) -> str:
    return next((kind for start, kind in _PRINTED if text.startswith(start)), _PLAIN)


def _of_binary(first: bytes) -> str | None:
    if first.startswith(_OLE_SIGNATURE):
        return _OLE
    shown: str | None = filetype.guess_mime(first)
    if shown is None or shown == DEFAULT:
        return None
    return _REGISTERED.get(shown, shown)
