"""Writes the records of one ZIP in order, while the numbers of its members become known."""

from array import array
from collections.abc import Iterator

from penstock.errors import SourceChanged
from penstock.zipstream.pieces import joined
from penstock.zipstream.plan import Plan
from penstock.zipstream.records import (
    central_header,
    deflated_central_header,
    deflated_header,
    described_header,
    described_length,
    descriptor,
    descriptor_length,
    end_records,
    is_wide,
    local_header,
    local_length,
)

_LEFT_OUT, _STORED, _DEFLATED, _DESCRIBED = range(4)


class ZipWriter:
    """The records of a ZIP of the members of ``plan``, in their order; some may be left out.

    The caller sends what each call returns, and after `known` and `open` the member's bytes. A
    member whose numbers are known in time is best begun with `known`: readers from a pipe get
    along with it better. Numbers that are not those of the plan raise SourceChanged. Keeps 21
    bytes for each member.
    """

    __slots__ = ("_begun", "_crc32s", "_kinds", "_packed", "_plan", "_sizes", "position")

    position: int
    """Bytes of the ZIP so far, those of the members begun with `known` included."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._kinds = bytearray()
        self._sizes = array("Q")
        self._packed = array("Q")
        self._crc32s = array("I")
        self._begun: int | None = None
        self.position = 0

    def known(
        self, i: int, *, size: int, crc32: int, compressed_size: int, deflated: bool
    ) -> bytes:
        """The local header of a member whose numbers are known; its bytes follow it.

        It has ``size`` plain bytes and takes ``compressed_size`` in the ZIP.
        """
        if not deflated and compressed_size != size:
            raise ValueError(f"a stored member of {size} bytes cannot take {compressed_size}")
        self._begin(i)
        self._require(i, size, crc32)
        name, modified = self._plan.name(i).encode(), self._plan.modified(i)
        if deflated:
            header = deflated_header(name, size, crc32, modified, compressed_size)
        else:
            header = local_header(name, size, crc32, modified)
        self._append(_DEFLATED if deflated else _STORED, size, crc32, compressed_size)
        self.position += len(header) + compressed_size
        return header

    def open(self, i: int) -> bytes:
        """The local header of a deflated member whose numbers follow its bytes, by `close`."""
        self._begin(i)
        self._begun = i
        header = described_header(
            self._plan.name(i).encode(), self._plan.modified(i), wide=self._is_wide(i)
        )
        self.position += len(header)
        return header

    def close(self, *, size: int, crc32: int, compressed_size: int) -> bytes:
        """The descriptor of the member begun with `open`, after its ``compressed_size`` bytes."""
        if self._begun is None:
            raise RuntimeError("no member is open")
        self._require(self._begun, size, crc32)
        self._begun = None
        self._append(_DESCRIBED, size, crc32, compressed_size)
        record = descriptor(size, crc32, compressed_size, wide=is_wide(size, compressed_size))
        self.position += compressed_size + len(record)
        return record

    def directory(self) -> Iterator[bytes]:
        """The central directory and the end records, in pieces of at most 64 KiB."""
        self._not_within_member()
        start, count = self.position, len(self._kinds) - self._kinds.count(_LEFT_OUT)
        for piece in joined(self._centrals()):
            assert isinstance(piece, bytes)
            self.position += len(piece)
            yield piece
        end = end_records(count, self.position - start, start)
        self.position += len(end)
        yield end

    def _centrals(self) -> Iterator[bytes]:
        offset = 0
        columns = zip(self._kinds, self._sizes, self._packed, self._crc32s, strict=True)
        for i, (kind, size, packed, crc32) in enumerate(columns):
            if kind == _LEFT_OUT:
                continue
            name, modified = self._plan.name(i).encode(), self._plan.modified(i)
            if kind == _STORED:
                yield central_header(name, size, crc32, modified, offset)
            else:
                yield deflated_central_header(
                    name, size, crc32, modified, packed, offset, described=kind == _DESCRIBED
                )
            offset += packed
            if kind == _DESCRIBED:
                offset += described_length(len(name), wide=self._is_wide(i))
                offset += descriptor_length(wide=is_wide(size, packed))
            else:
                offset += local_length(len(name), max(size, packed))

    def _is_wide(self, i: int) -> bool:
        """Is it known at the beginning that the lengths behind the member need 8 bytes?"""
        size = self._plan.size_of(i)
        return size is not None and is_wide(size, 0)

    def _begin(self, i: int) -> None:
        self._not_within_member()
        left_out = i - len(self._kinds)
        if left_out < 0 or i >= len(self._plan):
            raise ValueError(f"member {i} cannot follow member {len(self._kinds) - 1}")
        for _ in range(left_out):
            self._append(_LEFT_OUT, 0, 0, 0)

    def _not_within_member(self) -> None:
        if self._begun is not None:
            raise RuntimeError(f"member {self._begun} is still open")

    def _require(self, i: int, size: int, crc32: int) -> None:
        planned_size, planned_crc32 = self._plan.size_of(i), self._plan.crc32_of(i)
        if planned_size not in (None, size) or planned_crc32 not in (None, crc32):
            raise SourceChanged(
                f"{self._plan.name(i)!r} changed since the ZIP was begun; start it again"
            )

    def _append(self, kind: int, size: int, crc32: int, packed: int) -> None:
        self._kinds.append(kind)
        self._sizes.append(size)
        self._packed.append(packed)
        self._crc32s.append(crc32)
