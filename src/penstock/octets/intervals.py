"""Sets of byte offsets, kept as the stretches that they are made of."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

from penstock.octets.ranges import Span


class Intervals:
    """A set of offsets as disjoint spans in their order; spans that touch become one."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for span in spans:
            self.add(span.start, span.stop)

    def __iter__(self) -> Iterator[Span]:
        return map(Span, self._starts, self._stops)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def copy(self) -> "Intervals":
        """Another set of the same offsets."""
        twin = Intervals()
        twin._starts, twin._stops = self._starts.copy(), self._stops.copy()
        return twin

    @property
    def size(self) -> int:
        """How many offsets are in the set."""
        return sum(self._stops) - sum(self._starts)

    def add(self, start: int, stop: int) -> None:
        """Put in ``start`` to ``stop`` (exclusive)."""
        if start >= stop:
            return
        first = bisect_left(self._stops, start)
        last = bisect_right(self._starts, stop)
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def remove(self, start: int, stop: int) -> None:
        """Take out ``start`` to ``stop`` (exclusive)."""
        if start >= stop:
            return
        first = bisect_right(self._stops, start)
        last = bisect_left(self._starts, stop)
        rest = [
            span
            for one in map(Span, self._starts[first:last], self._stops[first:last])
            for span in (Span(one.start, start), Span(stop, one.stop))
            if span.start < span.stop
        ]
        self._starts[first:last] = [span.start for span in rest]
        self._stops[first:last] = [span.stop for span in rest]

    def end_from(self, at: int) -> int:
        """The end of the span that holds ``at``; ``at`` itself if none does."""
        index = bisect_right(self._starts, at) - 1
        return max(at, self._stops[index]) if index >= 0 else at

    def next_from(self, at: int) -> Span | None:
        """The first span that ends behind ``at``, from ``at`` on; ``None`` if there is none."""
        index = bisect_right(self._stops, at)
        if index == len(self._starts):
            return None
        return Span(max(at, self._starts[index]), self._stops[index])

    def gaps(self, stop: int) -> "Intervals":
        """What is missing of 0 to ``stop``."""
        missing = Intervals([Span(0, stop)])
        for span in self:
            missing.remove(span.start, span.stop)
        return missing
