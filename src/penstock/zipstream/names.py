"""Names for ZIP members that every extractor can write and that lead none of them astray.

A name comes from whoever stored the file and may be hostile. What each rule prevents was seen in
real extractors: ``..\\x`` left the target folder, ``a:b`` fell together with ``b``, a trailing dot
or space made Windows Explorer call the whole archive invalid.
"""

import re
import unicodedata
from typing import Final

SEGMENT_LIMIT: Final = 255
"""Longest segment in UTF-8 bytes: what Linux, macOS and Windows file systems take."""

NAME_LIMIT: Final = 65_535 - SEGMENT_LIMIT
"""Longest name in UTF-8 bytes. APPNOTE 4.4.10 allows 65,535; the rest is room for a number."""

_DEVICE = r"(?i:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?= *(?:[./]|\Z))"
_PLAIN = r"[ !#-)+-.0-9;=@-\[\]-{}~]"  # printable ASCII without " * / : < > ? \ |
_MAY_BE_DEVICE = r"(?=[aclnpACLNP][ormpuORMPU])"  # cheaper to ask first

_is_safe_ascii = re.compile(rf"(?:(?!{_MAY_BE_DEVICE}{_DEVICE}){_PLAIN}++(?<![. ])/?+)++").fullmatch
_starts_with_device = re.compile(_DEVICE).match

# Not to be seen: C0 and C1 controls, bidi marks and overrides, zero-width space, word joiner,
# byte order mark, line and paragraph separator. The joiners U+200C and U+200D stay: scripts and
# emoji need them.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]"
)
_HOSTILE = re.compile('[<>:"|?*\\\\\ud800-\udfff]')
_EXTENSION = re.compile(r"(?<=.)(?:\.tar)?\.[^.\s]{1,16}\Z", re.IGNORECASE | re.DOTALL)


def safe_name(raw: str) -> str:
    """The name to write for ``raw``: relative, ``/``-separated, NFC. Idempotent, never empty.

    - Controls, bidi marks and other invisible characters are removed.
    - ``< > : " | ? *``, backslashes and lone surrogates become ``_``. A backslash is no
      separator: on the systems files come from it is part of a name, and splitting there would
      make new folders and new ``..`` out of it. With the colon drive letters lose their meaning.
    - Dots and spaces at the end of a segment go; so ``.``, ``..`` and empty segments vanish, and
      with them a leading ``/``.
    - A segment that Windows takes for a device (``con``, ``COM1.txt``) gets a ``_``.
    - A segment has at most 255 bytes, cut before its extension; the whole at most ``NAME_LIMIT``.
    - A trailing ``/`` (a folder) stays. If nothing is left the name is ``_``.
    """
    if len(raw) <= SEGMENT_LIMIT and _is_safe_ascii(raw):
        return raw
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", raw))
    text = _HOSTILE.sub("_", text)
    segments = [safe for part in text.split("/") if (safe := _safe_segment(part))]
    if not segments:
        return "_"
    return "/".join(_within_limit(segments)) + ("/" if text.endswith("/") else "")


def numbered(name: str, number: int) -> str:
    """``name``, which is safe, with ``number`` before its extension: ``a.txt`` → ``a (2).txt``.

    Stays safe. A folder has no extension: ``v1.0/`` → ``v1.0 (2)/``.
    """
    slash = "/" if name.endswith("/") else ""
    folder, separator, leaf = name.removesuffix("/").rpartition("/")
    stem, extension = (leaf, "") if slash else _split_extension(leaf)
    ending = f" ({number}){extension}"
    stem = _cut(stem, SEGMENT_LIMIT - len(ending.encode()))
    return f"{folder}{separator}{stem}{ending}{slash}"


def fold(name: str) -> str:
    """What two names share when a file system that ignores case or normal form mixes them up."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _safe_segment(part: str) -> str:
    segment = _shorten(part.rstrip(". "))
    if device := _starts_with_device(segment):
        segment = _shorten(f"{device[0]}_{segment[device.end() :]}")
    return segment


def _shorten(segment: str) -> str:
    if len(segment.encode()) <= SEGMENT_LIMIT:
        return segment
    stem, extension = _split_extension(segment)
    stem = _cut(stem, SEGMENT_LIMIT - len(extension.encode()))
    return (stem + extension).rstrip(". ") or "_"


def _split_extension(leaf: str) -> tuple[str, str]:
    found = _EXTENSION.search(leaf)
    return (leaf[: found.start()], found[0]) if found else (leaf, "")


def _cut(text: str, limit: int) -> str:
    """The longest beginning of ``text`` that has at most ``limit`` bytes in UTF-8."""
    return text.encode()[:limit].decode(errors="ignore")


def _within_limit(segments: list[str]) -> list[str]:
    """Leave out folders next to the leaf until the name fits."""
    lengths = [len(segment.encode()) + 1 for segment in segments]
    total = sum(lengths)
    while total > NAME_LIMIT:
        total -= lengths.pop(-2)
        del segments[-2]
    return segments
