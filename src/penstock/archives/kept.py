"""Plans kept for a while, so that a download that broke can go on."""

import time
from collections import OrderedDict
from hashlib import sha256
from typing import NamedTuple

from penstock.archives.planned import PlannedZip
from penstock.archives.selection import Selection
from penstock.zipstream import Layout

_MOST = 20 << 20
_FRESH = 60.0
_KEPT = 3600.0


class _Kept(NamedTuple):
    planned: PlannedZip
    since: float
    weight: int


class KeptPlans:
    """The last plans whose ZIPs cannot be made again from the stored files alone.

    That is so when CRC-32s were learned on the way; and asking hundreds of URLs again takes long.
    About ``most`` bytes are kept, of the plans used last, each for an hour.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def fresh(self, selection: Selection) -> PlannedZip | None:
        """What was planned for the same URLs, and nothing else, within the last minute."""
        if not _is_of_urls(selection):
            return None
        kept = self._kept.get(_name_of_urls(selection))
        if kept is None or kept.since < time.monotonic() - _FRESH:
            return None
        return kept.planned

    def same(self, planned: PlannedZip) -> PlannedZip:
        """The plan of the same bytes that is kept already; keeps this one if that is of use."""
        name = _name(planned)
        if name is None:
            return planned
        kept = self._kept.pop(name, None)
        lasting = planned.exact and planned.pinned
        if kept is None or not lasting or planned.plan.etag != kept.planned.plan.etag:
            kept = _Kept(planned, time.monotonic(), _weight(planned))
        self._kept[name] = kept
        self._shrink()
        return kept.planned

    def forget(self, planned: PlannedZip) -> None:
        """Drop a plan that turned out to be out of date."""
        self._kept.pop(_name(planned) or "", None)

    def _shrink(self) -> None:
        oldest = time.monotonic() - _KEPT
        for name in [name for name, kept in self._kept.items() if kept.since < oldest]:
            del self._kept[name]
        weight = sum(kept.weight for kept in self._kept.values())
        while weight > self._most:
            _, first = self._kept.popitem(last=False)
            weight -= first.weight


def _weight(planned: PlannedZip) -> int:
    """About how many bytes it takes; of a remote member URL, headers and version are kept too."""
    return 100 * planned.stored + 1500 * len(planned.remotes) + len(planned.selection.to_json())


def _name(planned: PlannedZip) -> str | None:
    """What to find it by; ``None`` if it is of no use to keep it.

    Servers choose their ETags, so two of them may agree by chance or on purpose: a plan is never
    shared between other URLs or other credentials. What was missing may be there by the next time.
    """
    selection = planned.selection
    if planned.failures:
        return None
    if _is_of_urls(selection):
        return _name_of_urls(selection)
    if planned.plan.layout is Layout.STORED_BLOCKS and planned.pinned:
        return f"{planned.plan.etag} {_digest(selection)}"
    return None


def _is_of_urls(selection: Selection) -> bool:
    return bool(selection.urls) and not selection.keys and not selection.prefixes


def _name_of_urls(selection: Selection) -> str:
    return f"urls {_digest(selection)}"


def _digest(selection: Selection) -> str:
    return sha256(selection.to_json().encode()).hexdigest()
