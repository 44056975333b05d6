"""Whether a stored answer may be used: RFC 9111, as pure functions of header values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Self

from penstock.relay.fields import value_of

_DIRECTIVE = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:=("(?:[^"\\]|\\.)*"|[^",\s]*))?')


_NOT_PASSED = frozenset({"accept-encoding", "authorization", "cookie", "proxy-authorization"})
"""What the upstream never sees of a caller, so that nothing can depend on it: it is asked for the
file as it is, which suits all, and with the credentials of the relay."""

_OURS = {"accept": "*/*"}
"""What the relay itself asks with."""


def directives(value: str) -> dict[str, str]:
    """The directives of ``Cache-Control`` (§5.2) by their lower-case names.

    Of several of one name the first counts (§4.2.1), but for one without an argument: that
    speaks of all.
    """
    found: dict[str, str] = {}
    for match in _DIRECTIVE.finditer(value):
        name, argument = match[1].lower(), (match[2] or "").strip('"')
        if name not in found or not argument:
            found[name] = argument
    return found


def may_be_stored(headers: Mapping[str, str]) -> bool:
    """Whether a cache that many use may keep the answer (§3)."""
    told = directives(headers.get("Cache-Control", ""))
    # With an argument, private speaks of single fields only.
    return "no-store" not in told and told.get("private") != "" and "*" not in _varies(headers)


def lifetime(headers: Mapping[str, str], most: float, came: float) -> float:
    """How many seconds the answer is fresh: what it says itself (§4.2.1), but not over ``most``.

    One that says nothing is fresh for ``most`` (§4.2.2). ``came`` is when it came, in seconds
    since 1970: its date if it tells none (RFC 9110 §6.6.1).
    """
    told = directives(headers.get("Cache-Control", ""))
    if "no-cache" in told or not may_be_stored(headers):
        return 0.0
    for name in ("s-maxage", "max-age"):
        if name in told:
            return min(most, _seconds(told[name]))
    if "Expires" in headers:
        # A date that is none lies in the past (§5.3).
        expires, made = _date(headers["Expires"]) or 0.0, _date(headers.get("Date", ""))
        return min(most, max(0.0, expires - (came if made is None else made)))
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
    """What a caller wants: how old it may be, in seconds (``None``: it does not say), and the
    ``headers`` that the upstream may choose by."""

    max_age: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Read the ``Cache-Control`` of a request (§5.2.1), or ``Pragma`` (§5.4)."""
        value = value_of(headers, "Cache-Control")
        told = directives(value_of(headers, "Pragma") or "" if value is None else value)
        if "no-cache" in told:
            return cls(0.0, headers)
        return cls(_seconds(told["max-age"]) if "max-age" in told else None, headers)

    def within(self, lifetime: float) -> float:
        """The shorter of the two."""
        return lifetime if self.max_age is None else min(self.max_age, lifetime)

    def chosen_by(self, told: Mapping[str, str]) -> tuple[str, ...]:
        """The fields of the caller by which the upstream chooses what to answer (§4.1).

        What is kept was asked for without them.
        """
        names = _varies(told) - _NOT_PASSED
        return tuple(sorted(name for name in names if self._asks_otherwise(name)))

    def _asks_otherwise(self, name: str) -> bool:
        value = value_of(self.headers, name)
        return value is not None and value.strip() != _OURS.get(name)


def _seconds(value: str) -> float:
    """Delta-seconds (§1.2.2); what is none counts as no time at all."""
    digits = value.strip()
    return float(digits[:10]) if digits.isascii() and digits.isdigit() else 0.0


def _varies(headers: Mapping[str, str]) -> set[str]:
    """The fields of a request that the answer depends on, in lower case (RFC 9110 §12.5.5)."""
    return {name.strip().lower() for name in headers.get("Vary", "").split(",")} - {""}


def _date(value: str) -> float | None:
    """Seconds since 1970; ``None`` if it is no date."""
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
