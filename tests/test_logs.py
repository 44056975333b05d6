"""The log: whole lines, whoever else writes there, and whatever happened to it."""

import errno
import io
import logging
import os

from penstock.logs import GatheringHandler


class Slow(io.StringIO):
    """Keeps what is written at once apart; the first ``failing`` writes fail."""

    def __init__(self, failing: int = 0) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._failing = failing

    def write(self, text: str) -> int:
        if self._failing:
            self._failing -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.pieces.append(text)
        return len(text)


def say(handler: GatheringHandler, *texts: str) -> None:
    for text in texts:
        handler.handle(logging.makeLogRecord({"msg": text}))
    handler.flush()


def whole_pieces(stream: Slow) -> bool:
    """What a pipe does not take at once, another process's lines may come between."""
    sizes = [len(piece.encode()) for piece in stream.pieces]
    return max(sizes) <= 4096 and all(piece.endswith("\n") for piece in stream.pieces)


def test_lines_of_several_processes_do_not_mix() -> None:
    stream = Slow()
    lines = [f"{number} " + "x" * 300 + "ä" * 20 for number in range(100)]

    say(GatheringHandler(stream), *lines)

    assert "".join(stream.pieces).splitlines() == lines
    assert whole_pieces(stream)


def test_a_long_line_is_written_as_it_is() -> None:
    stream = Slow()
    lines = ["before", "x" * 10_000, "after"]

    say(GatheringHandler(stream), *lines)

    assert "".join(stream.pieces).splitlines() == lines


def test_it_goes_on_when_there_is_room_again() -> None:
    stream = Slow(failing=1)
    handler = GatheringHandler(stream)

    say(handler, "lost")
    say(handler, "kept")

    assert "kept\n" in stream.pieces
