"""Sizes, numbers and times as the pages say them. The scripts say times in the reader's zone."""

from datetime import UTC, datetime

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def amount(size: int) -> str:
    """``1234567`` as ``1.23 MB``: as the pages' own scripts write sizes."""
    scaled, unit = float(size), 0
    while scaled >= 999.5 and unit < len(_UNITS) - 1:
        scaled /= 1000
        unit += 1
    digits = 0 if unit == 0 or scaled >= 99.95 else 1 if scaled >= 9.995 else 2
    return f"{scaled:.{digits}f} {_UNITS[unit]}"


def number(count: int, noun: str) -> str:
    """``2 files``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def day(seconds: float) -> str:
    """``29 November 2026, 14:05 UTC``."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
