"""What is told of a run, and when it does not hold."""

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from load import plot
from load.job import Mark, Transfer
from load.report import Report
from load.watch import Holding, Return, returns

GOOD = Transfer("zip", "run", 100.0, 0.5, 0.1, 1 << 20, "", False)
BACK = Return("rss", before=100e6, most=180e6, after=101e6, allowed=24e6)


def report(*transfers: Transfer, returned: Return = BACK, trouble: str = "") -> Report:
    return Report("zip", 10.0, transfers, [returned], trouble)


def test_a_good_run_holds() -> None:
    good = report(*[GOOD] * 20)

    assert good.holds
    assert "20 transfers, 20 MiB, 2.0 MiB/s" in good.text()


@pytest.mark.parametrize(
    "bad",
    [
        report(),
        report(*[GOOD] * 9, replace(GOOD, error="Failed: 503")),
        report(*[GOOD] * 99, replace(GOOD, error="Wrong: other bytes", wrong=True)),
        report(GOOD, replace(GOOD, phase="warm-up", error="Wrong: other bytes", wrong=True)),
        report(*[GOOD] * 9, *[replace(GOOD, seconds=31.0)] * 2),
        report(GOOD, returned=replace(BACK, after=125e6)),
        report(GOOD, trouble="TypeError: a user has a mistake"),
    ],
    ids=["nothing", "failures", "wrong", "wrong early", "slow", "memory stays", "trouble"],
)
def test_a_bad_run_does_not(bad: Report) -> None:
    assert not bad.holds
    assert "DOES NOT HOLD" in bad.text()


def test_one_failure_among_many_is_told_and_allowed() -> None:
    some = report(*[GOOD] * 99, replace(GOOD, error="Failed: 503 Busy"))

    assert some.holds
    assert "- 1 × zip: Failed: 503 Busy" in some.text()


def test_what_the_server_kept_is_the_last_of_it_and_gaps_are_left_out() -> None:
    def held(at: float, descriptors: int, tasks: int) -> Holding:
        return Holding(at, 50 << 20, descriptors, 8, tasks)

    found = returns(
        [held(1, 20, 5), held(2, 22, -1), held(3, 20, 5)],
        [held(4, 60, 40), held(5, 50, -1)],
        [held(6, 50, 9), held(7, 40, 6)],
    )

    told = {one.what: one for one in found}
    assert (told["descriptors"].before, told["descriptors"].most) == (20, 60)
    assert told["descriptors"].after == 40
    assert not told["descriptors"].holds
    assert (told["tasks"].before, told["tasks"].most, told["tasks"].after) == (5, 40, 6)
    assert told["tasks"].holds


def test_what_nobody_can_tell_is_left_out() -> None:
    [one] = [Holding(1, 50 << 20, -1, -1, -1)]

    assert [found.what for found in returns([one], [one], [one])] == ["rss"]


def test_the_picture_has_a_curve_for_everything_that_was_held() -> None:
    holdings = [Holding(at, 50 << 20, 20, 8, 5) for at in (1.0, 2.0, 3.0)]
    marks = [Mark("warm-up", 0, 0), Mark("users", 0.5, 3), Mark("rest", 1, 0)]
    marks += [Mark("run", 2, 0), Mark("after", 3, 0)]

    picture = plot.drawn("a & b", holdings, marks, returns(holdings, holdings, holdings))

    curves = ET.fromstring(picture).findall("{*}polyline")
    assert [len(curve.attrib["points"].split()) for curve in curves] == [4, 3, 3, 3, 3]
    assert "a &amp; b" in picture
