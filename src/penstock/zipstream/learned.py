"""What is learned of members while an exact ZIP is sent: CRC-32s, whole and at checkpoints."""

from array import array
from typing import Final

from penstock.errors import SourceChanged
from penstock.zipstream.blocks import plain_start
from penstock.zipstream.entry import Layout
from penstock.zipstream.plan import Plan

CHECKPOINT: Final = 4 << 20
"""Plain bytes between two checkpoints of a framed member."""


class Learned:
    """CRC-32s of framed members that were sent, so that a later request can start in the middle.

    Made once for a plan and shared by its downloads. Of a member that was sent in part it keeps
    the CRC-32 of its beginnings, one for each `CHECKPOINT`, so that it need not be read from its
    start again. That is 4 bytes for each of those and 5 for each entry of the plan; nothing if no
    member is framed. Not for several threads at once.
    """

    __slots__ = ("_checkpoints", "_crc32s", "_first_unknown", "_known", "_plan")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        has_framed = plan.layout is Layout.STORED_BLOCKS  # a plan of another layout is not asked
        framed = [i for i in range(len(plan)) if plan.is_framed(i)] if has_framed else []
        self._known = bytearray(b"\1") * (len(plan) if framed else 0)
        self._crc32s = array("I", bytes(4 * len(self._known)))
        self._checkpoints: dict[int, array[int]] = {}
        self._first_unknown = framed[0] if framed else -1  # or -1: all are known
        for i in framed:
            self._known[i] = 0

    def crc32(self, i: int) -> int | None:
        """CRC-32 of the member's plain bytes: from the plan, or learned, or ``None``."""
        if not self._plan.is_framed(i):
            return self._plan.crc32_of(i)
        return self._crc32s[i] if self._known[i] else None

    def covers(self, start: int) -> bool:
        """Can the bytes from ``start`` to the end of the ZIP be sent?

        Yes if every framed member that ends before is known, and of one that ``start`` lies in no
        more than `CHECKPOINT` bytes have to be read again for it.
        """
        if start == 0 or self._first_unknown < 0:
            return True
        geometry = self._plan.geometry
        i = geometry.member_at(start) if start < geometry.directory else len(self._plan)
        if self._first_unknown < i:
            return False
        return i == len(self._plan) or not self._plan.is_framed(i) or self._reaches(i, start)

    def put(self, i: int, crc32: int) -> None:
        """The CRC-32 of the whole member. Raises SourceChanged if it was another one before."""
        if self._known[i]:
            self._require(i, crc32, self._crc32s[i])
            return
        self._crc32s[i] = crc32
        self._known[i] = 1
        self._first_unknown = self._known.find(0, self._first_unknown)

    def note(self, i: int, position: int, crc32: int) -> None:
        """The CRC-32 of the member's plain bytes before ``position``, a multiple of `CHECKPOINT`.

        Raises SourceChanged if it was another one before.
        """
        noted = self._checkpoints.setdefault(i, array("I"))
        place = position // CHECKPOINT - 1
        if place < len(noted):
            self._require(i, crc32, noted[place])
        elif place == len(noted):
            noted.append(crc32)

    def before(self, i: int, position: int) -> tuple[int, int]:
        """The last checkpoint at or before the plain ``position``, and the CRC-32 up to there."""
        noted = self._checkpoints.get(i, ())
        count = min(position // CHECKPOINT, len(noted))
        return (count * CHECKPOINT, noted[count - 1]) if count else (0, 0)

    def _reaches(self, i: int, start: int) -> bool:
        first, stop = self._plan.geometry.framed_bounds(i, self._plan.size_of(i) or 0)
        if start >= stop:
            return bool(self._known[i])
        position = plain_start(max(start - first, 0))
        return position - self.before(i, position)[0] <= CHECKPOINT

    def _require(self, i: int, crc32: int, expected: int) -> None:
        if crc32 != expected:
            raise SourceChanged(
                f"{self._plan.name(i)!r} changed since it was sent before; start the download again"
            )
