"""What a lane of jobs is to those who look at it."""

from dataclasses import dataclass

from penstock.catalog.lanes import LaneRow


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane as it stood when it was read: how many jobs it has in each state.

    None that waits is begun while it is ``paused``; those that run go on.
    """

    name: str
    paused: bool
    waiting: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0


def lane_of(name: str, row: LaneRow) -> Lane:
    """The lane that the catalog tells of."""
    return Lane(name, row.paused, **row.counts)
