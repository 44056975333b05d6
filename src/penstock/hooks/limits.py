"""How patient the delivery of events is."""

from dataclasses import dataclass

_HOUR = 3600.0
_DAY = 24 * _HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class HookLimits:
    """Limits of one :class:`~penstock.hooks.Courier`; times are seconds.

    ``parallel`` events are delivered at once. ``timeout`` is for one delivery, from the
    connection to the head of the answer. An event belongs to the process that delivers it for
    ``margin`` longer than that, which allows for slow databases and clocks that differ. ``poll`` is
    how often other processes' events are looked for.

    The pause between two tries of an event grows from ``first_pause`` to ``longest_pause``. It is
    given up after ``lifetime`` if it has been tried ``tries`` times by then, and its dead letter
    is kept until it is ``kept`` old.

    When the events of ``doubt`` subjects have failed in a row, the receiver is taken to be down:
    it gets one event at a time, with pauses from ``first_rest`` to ``longest_rest``. If it has
    been down for ``patience``, what is older than ``lifetime`` is given up without a try.
    """

    parallel: int = 16
    timeout: float = 15.0
    margin: float = 15.0
    poll: float = 5.0
    first_pause: float = 1.0
    longest_pause: float = 600.0
    lifetime: float = 3 * _DAY
    tries: int = 12
    kept: float = 30 * _DAY
    doubt: int = 5
    first_rest: float = 1.0
    longest_rest: float = 30.0
    patience: float = _HOUR
    farewell: float = 3.0
    """How long deliveries under way may go on when the server ends."""
