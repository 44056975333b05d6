"""Workers are killed and frozen, the database is restarted, and no job is lost or done twice.

The whole trial, 120 jobs through 19 strikes, takes two minutes: ``python -m bench jobs``.
"""

import json
from pathlib import Path

import pytest

from bench.jobs import Trial, comparison, document, tried
from bench.peers.server import PeerMissing

# Two freezes, and enough work that there is some until the last strike.
_SHORT = Trial(jobs=40, steps=5, seconds=0.3, strikes=6, every=0.7, lease=1.5, frozen=2.5)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
def test_no_job_is_lost_or_ended_twice_or_run_by_two_at_once(kind: str, tmp_path: Path) -> None:
    try:
        tally = tried(kind, _SHORT, tmp_path / kind)
    except PeerMissing as missing:
        pytest.skip(str(missing))

    assert (tally.done, tally.lost) == (40, 0)
    assert (tally.ended_twice, tally.concurrent, tally.repeated) == (0, 0, 0)
    assert (tally.kills, tally.freezes, tally.restarts) == (4, 2, int(kind == "PostgreSQL"))
    # One that was stopped between two instructions may begin a step when it goes on, not two.
    assert tally.late <= tally.freezes * 3
    assert tally.begun >= tally.ideal
    assert f"| {kind} | 40 | 40 |" in comparison([tally])
    assert json.dumps(document([tally]))
