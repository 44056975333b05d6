"""How many users there are, and when: stages, in each of which
their number grows or shrinks evenly.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Stage(NamedTuple):
    """``seconds`` in which the number of users goes to ``users``."""

    seconds: float
    users: int


# Those of stream-download's load test.
FULL = (Stage(30, 10), Stage(60, 10), Stage(30, 20), Stage(60, 20), Stage(30, 0))
SHORT = (Stage(0.5, 10), Stage(1, 10), Stage(0.5, 20), Stage(1.5, 20), Stage(0.5, 0))

# Before it: what a server makes once, and keeps, is made here, and so is no growth.
FULL_WARM_UP = (Stage(5, 20), Stage(20, 20), Stage(1, 0))
SHORT_WARM_UP = (Stage(0.25, 20), Stage(1, 20), Stage(0.25, 0))


def steps(stages: Sequence[Stage], tick: float) -> Iterator[tuple[float, int]]:
    """Each time at which the number of users changes, in seconds from the start, and the number.

    The last one is the end of the last stage.
    """
    began, before, told = 0.0, 0, 0
    for stage in stages:
        ticks = max(1, round(stage.seconds / tick))
        for number in range(1, ticks + 1):
            users = before + int((stage.users - before) * number / ticks)
            if users != told:
                told = users
                yield began + stage.seconds * (number - 1) / ticks, users
        began, before = began + stage.seconds, stage.users
    yield began, before
