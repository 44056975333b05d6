"""Sizes and rates as people write and read them."""

import re

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([KMGT]?)(?:i?B)?(?:/s)?", re.IGNORECASE)


def human_size(size: float) -> str:
    """``1536`` as ``1.5 KiB``; bytes below 1 KiB are exact."""
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def parse_size(text: str) -> float:
    """``40M`` (also ``40MiB``, ``40MB/s``) in bytes; a unit is a power of 1,024, as with curl.

    :raises ValueError: it is no size, or 0.
    """
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size such as 500K, 40M or 1.5G")
    size = float(match[1]) * float(1024 ** " KMGT".index(match[2].upper() or " "))
    if size < 1:
        raise ValueError(f"{text!r} is less than one byte")
    return size
