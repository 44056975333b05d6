"""How patient and how large the queue of jobs is."""

from dataclasses import dataclass

_DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """Limits of :class:`~penstock.jobs.Jobs` and its workers; times are seconds.

    A worker holds a job for ``lease`` and renews it after a third of that. If it cannot, it stops
    the handler when four fifths are over, so that nobody else begins while it still runs. Every
    ``beat`` it looks whether somebody asked for the end of a job, and tells how far it is. Every
    ``poll`` it looks for jobs that other processes queued, and those who watch are told.

    A job that fails may be tried ``tries`` times in a row without getting further than before.
    The pause between them grows from ``first_pause`` to ``longest_pause``; if the other side asks
    for a longer one, it is heeded up to ``longest_asked``.

    ``most`` jobs may be unfinished. One that has ended is kept for ``kept``, but no more than
    ``most_ended`` of them. ``longest`` is the most bytes of a spec, a checkpoint or a result as
    JSON. A worker that closes gives its handlers ``farewell`` to end.
    """

    lease: float = 15.0
    beat: float = 1.0
    poll: float = 1.0
    tries: int = 8
    first_pause: float = 1.0
    longest_pause: float = 300.0
    longest_asked: float = 3600.0
    most: int = 10_000
    kept: float = 7 * _DAY
    most_ended: int = 10_000
    longest: int = 1 << 20
    farewell: float = 10.0
