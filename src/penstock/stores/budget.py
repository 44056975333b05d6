"""The bytes of parts in memory, bounded for all writers of a store together."""

from collections.abc import Callable


class Budget:
    """Room in memory for ``total`` bytes.

    Nobody waits for room, so nobody can wait in a circle: what finds none goes to a file.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self.watchers: list[Callable[[int], None]] = []
        """Are told how much is used whenever it is more."""

    @property
    def used(self) -> int:
        """Bytes that are given away now."""
        return self._used

    def take(self, size: int) -> bool:
        """Whether there was room for ``size`` more bytes, which is taken now."""
        if self._used + size > self._total:
            return False
        self._used += size
        for watcher in self.watchers:
            watcher(self._used)
        return True

    def give_back(self, size: int) -> None:
        """Let others have what is not needed any more."""
        self._used -= size
