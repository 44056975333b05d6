"""``penstock`` with counters: ``python hooked.py FILE python -m penstock serve``.

FILE holds two numbers of eight bytes, renewed every few milliseconds: the calls of Python functions
and the SQL statements so far. It is mapped, not written, so that a trace of the process's system
calls shows nothing of it.
"""

import mmap
import struct
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from sqlalchemy import event
from sqlalchemy.engine import Engine

from penstock.cli import main

NUMBERS = struct.Struct("=QQ")
_EVERY = 0.01

Counted = dict[int, int]
"""By thread: none of them waits for another, and no addition is lost."""


def install(place: mmap.mmap) -> None:
    """Count in every thread from here on."""
    calls: Counted = defaultdict(int)
    statements: Counted = defaultdict(int)
    # Before the hooks: what this thread does is not counted.
    threading.Thread(target=_show, args=(place, calls, statements), daemon=True).start()

    def called(_: FrameType, what: str, __: object) -> None:
        if what == "call":
            calls[threading.get_ident()] += 1

    def stated(*_: object) -> None:
        statements[threading.get_ident()] += 1

    event.listen(Engine, "before_cursor_execute", stated)
    threading.setprofile(called)
    sys.setprofile(called)


def _show(place: mmap.mmap, calls: Mapping[int, int], statements: Mapping[int, int]) -> None:
    while True:
        NUMBERS.pack_into(place, 0, *(sum(list(one.values())) for one in (calls, statements)))
        time.sleep(_EVERY)


if __name__ == "__main__":
    _, numbers, *command = sys.argv
    with Path(numbers).open("r+b") as file:
        shared = mmap.mmap(file.fileno(), NUMBERS.size)
    install(shared)
    sys.argv = command[command.index("penstock") :]
    main()
