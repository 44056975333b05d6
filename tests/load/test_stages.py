"""How the number of users goes."""

from load.stages import FULL, SHORT, Stage, steps


def test_the_stages_are_those_of_stream_download() -> None:
    assert FULL == ((30, 10), (60, 10), (30, 20), (60, 20), (30, 0))
    assert sum(stage.seconds for stage in FULL) == 210


def test_users_come_one_after_the_other_and_leave_likewise() -> None:
    walk = list(steps([Stage(4, 2), Stage(2, 2), Stage(4, 0)], 1.0))

    assert walk == [(1.0, 1), (3.0, 2), (7.0, 1), (9.0, 0), (10.0, 0)]


def test_the_short_stages_have_as_many_users_and_take_seconds() -> None:
    walk = list(steps(SHORT, 0.25))

    assert max(users for _, users in walk) == 20
    assert walk[-1] == (sum(stage.seconds for stage in SHORT), 0)
    assert walk[-1][0] < 10
