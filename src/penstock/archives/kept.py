"""Plans kept for a while, so that a download that broke can go on."""

import time
from collections import OrderedDict
from typing import NamedTuple

from penstock.archives.planned import PlannedZip
from penstock.archives.selection import Selection
from penstock.zipstream import Layout

_MOST_MEMBERS = 200_000
_FRESH = 60.0


class _Kept(NamedTuple):
    planned: PlannedZip
    since: float


class KeptPlans:
    """The last plans whose ZIPs cannot be made again from the stored files alone.

    That is so when CRC-32s were learned on the way; and asking hundreds of URLs again takes long.
    Plans of ``most`` members in all are kept, those used last; a remote one counts for 20.
    """

    def __init__(self, most: int = _MOST_MEMBERS) -> None:
        self._most = most
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def fresh(self, selection: Selection) -> PlannedZip | None:
        """What was planned for the same selection of URLs within the last minute."""
        since = time.monotonic() - _FRESH
        if not selection.urls:
            return None
        for kept in reversed(self._kept.values()):
            if kept.since >= since and kept.planned.selection == selection:
                return kept.planned
        return None

    def same(self, planned: PlannedZip) -> PlannedZip:
        """The plan of the same bytes that is kept already; keeps this one if there is none."""
        if not planned.remotes and planned.plan.layout is not Layout.STORED_BLOCKS:
            return planned
        name = _name(planned)
        kept = self._kept.pop(name, None)
        if kept is None or not (planned.exact and planned.pinned):
            kept = _Kept(planned, time.monotonic())
        self._kept[name] = kept
        self._shrink()
        return kept.planned

    def forget(self, planned: PlannedZip) -> None:
        """Drop a plan that turned out to be out of date."""
        self._kept.pop(_name(planned), None)

    def _shrink(self) -> None:
        weight = sum(_weight(kept.planned) for kept in self._kept.values())
        while weight > self._most:
            _, oldest = self._kept.popitem(last=False)
            weight -= _weight(oldest.planned)


def _weight(planned: PlannedZip) -> int:
    """In members of 100 bytes; of a remote one URL, headers and version are kept as well."""
    return planned.stored + 20 * len(planned.remotes)


def _name(planned: PlannedZip) -> str:
    """Of the same bytes from the same sources.

    Servers choose their ETags, so two of them may agree by chance or on purpose: a plan is never
    shared between other URLs or other credentials.
    """
    if planned.remotes or not planned.plan.etag:
        return f"{planned.plan.etag} {planned.selection.to_json()}"
    return planned.plan.etag
