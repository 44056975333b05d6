"""Puts a framed member's plain bytes into stored blocks while they pass."""

from isal.isal_zlib import crc32

from penstock.errors import SourceChanged
from penstock.zipstream.blocks import frame, framed_start, plain_start, plain_stop
from penstock.zipstream.learned import CHECKPOINT, Learned
from penstock.zipstream.plan import Plan


class Framer:
    """Makes the framed bytes ``start`` to ``stop`` of a framed member, as a `Member` asks for.

    It takes the plain bytes `first` to `last`, in order, in pieces of any length. `first` may lie
    before what is needed: at a checkpoint, from which the CRC-32 can be worked out. What is learned
    on the way goes into ``learned``.
    """

    __slots__ = (
        "_crc32", "_from", "_index", "_learned", "_name", "_position", "_size", "_start", "_stop",
        "first", "last",
    )  # fmt: skip

    first: int
    """The first plain byte that is needed."""
    last: int
    """Where the plain bytes that are needed end, exclusive."""

    def __init__(self, plan: Plan, learned: Learned, index: int, start: int, stop: int) -> None:
        size = plan.size_of(index)
        if size is None or not plan.is_framed(index):
            raise ValueError(f"member {index} is not framed: its bytes stand as they are")
        self._learned = learned
        self._index = index
        self._name = plan.name(index)
        self._size = size
        self._start = start
        self._stop = stop
        self._from = plain_start(start)
        self.first, self._crc32 = learned.before(index, self._from)
        self.last = plain_stop(stop)
        self._position = self.first

    @property
    def done(self) -> bool:
        """Were all bytes up to `last` given?"""
        return self._position == self.last

    def frame(self, data: bytes | memoryview) -> bytes:
        """The framed bytes that the next plain bytes ``data`` give, ``b""`` if none yet.

        CPU only, and the greater part without the GIL. Raises SourceChanged if the source has more
        bytes than it should, or others than it had when the member was sent before.
        """
        view = memoryview(data)
        begin, end = self._position, self._position + len(view)
        if end > self.last:
            raise SourceChanged(f"{self._name!r} has more bytes than planned; ask for it again")
        self._take(view)
        skipped = max(self._from - begin, 0)
        if skipped >= len(view):
            return b""
        framed = frame(view[skipped:], begin + skipped, self._size)
        at = framed_start(begin + skipped)
        before, beyond = max(self._start - at, 0), max(at + len(framed) - self._stop, 0)
        return framed[before : len(framed) - beyond]

    def _take(self, view: memoryview) -> None:
        """Work out the CRC-32, and tell it at every checkpoint and at the member's end."""
        while view:
            step = view[: CHECKPOINT - self._position % CHECKPOINT]
            self._crc32 = crc32(step, self._crc32)
            self._position += len(step)
            if self._position % CHECKPOINT == 0:
                self._learned.note(self._index, self._position, self._crc32)
            view = view[len(step) :]
        if self._position == self._size:
            self._learned.put(self._index, self._crc32)
