"""Whether a stored answer may be used: RFC 9111, as pure functions of header values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Self

_DIRECTIVE = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:=("(?:[^"\\]|\\.)*"|[^",\s]*))?')


def directives(value: str) -> dict[str, str]:
    """The directives of ``Cache-Control`` (§5.2) by their lower-case names."""
    found = ((match[1].lower(), match[2] or "") for match in _DIRECTIVE.finditer(value))
    return {name: argument.strip('"') for name, argument in found}


def may_be_stored(headers: Mapping[str, str]) -> bool:
    """Whether a cache that many use may keep the answer (§3)."""
    told = directives(headers.get("Cache-Control", ""))
    # With an argument, private speaks of single fields only.
    return "no-store" not in told and told.get("private") != "" and headers.get("Vary") != "*"


def lifetime(headers: Mapping[str, str], most: float) -> float:
    """How many seconds the answer is fresh: what it says itself (§4.2.1), but not over ``most``.

    One that says nothing is fresh for ``most`` (§4.2.2).
    """
    told = directives(headers.get("Cache-Control", ""))
    if "no-cache" in told:
        return 0.0
    for name in ("s-maxage", "max-age"):
        if name in told:
            return min(most, _seconds(told[name]))
    if "Expires" in headers:
        return min(most, max(0.0, _date(headers["Expires"]) - _date(headers.get("Date", ""))))
    return most


def may_be_stale(headers: Mapping[str, str]) -> bool:
    """Whether the answer may be used when the upstream cannot be asked (§4.2.4)."""
    told = directives(headers.get("Cache-Control", ""))
    return told.keys().isdisjoint({"no-cache", "must-revalidate", "proxy-revalidate", "s-maxage"})


def initial_age(headers: Mapping[str, str]) -> float:
    """How old the answer was when it came (§5.1)."""
    return _seconds(headers.get("Age", ""))


@dataclass(frozen=True, slots=True)
class Wish:
    """How old what a caller is sent may be, in seconds; ``None``: it does not say."""

    max_age: float | None = None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Read the ``Cache-Control`` of a request (§5.2.1), or ``Pragma`` (§5.4)."""
        value = headers.get("Cache-Control")
        told = directives(headers.get("Pragma", "") if value is None else value)
        if "no-cache" in told:
            return cls(0.0)
        return cls(_seconds(told["max-age"]) if "max-age" in told else None)

    def within(self, lifetime: float) -> float:
        """The shorter of the two."""
        return lifetime if self.max_age is None else min(self.max_age, lifetime)


def _seconds(value: str) -> float:
    """Delta-seconds (§1.2.2); what is none counts as no time at all."""
    digits = value.strip()
    return float(digits[:10]) if digits.isascii() and digits.isdigit() else 0.0


def _date(value: str) -> float:
    """Seconds since 1970; a date that is none lies in the past (§5.3)."""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
