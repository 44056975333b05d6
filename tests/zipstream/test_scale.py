"""What a plan of very many entries costs."""

import random
import time
import tracemalloc
from collections.abc import Callable, Iterable

import pytest

from penstock.zipstream import Entry, Plan, plan_zip

MANY = 100_000


def ordinary(count: int) -> Iterable[Entry]:
    """Names of 36 bytes, a thousand to a folder."""
    for i in range(count):
        yield Entry(f"photos/2024/{i // 1000:06d}/IMG_{i:08d}.jpeg", 10_240 + i, i, i, i)


def of_unknown_crc32(count: int) -> Iterable[Entry]:
    for i in range(count):
        yield Entry(f"photos/2024/{i // 1000:06d}/IMG_{i:08d}.jpeg", 10_240 + i, None, i, i)


def a_folder_each(count: int) -> Iterable[Entry]:
    for i in range(count):
        yield Entry(f"photos/2024/{i:06d}/IMG_{i % 1000:08d}.jpeg", 10_240 + i, i, i, i)


def all_renamed(count: int) -> Iterable[Entry]:
    for i in range(count):
        yield Entry("photos/2024/000001/IMG_00000001.jpeg", 10_240 + i, i, i, i)


@pytest.mark.parametrize(
    ("entries", "count", "retained", "peak"),
    [
        (ordinary, MANY, 100, 110),
        (of_unknown_crc32, MANY, 100, 110),
        (a_folder_each, 30_000, 100, 150),
        (all_renamed, 30_000, 160, 350),
    ],
)
def test_memory_for_each_entry(
    entries: Callable[[int], Iterable[Entry]], count: int, retained: int, peak: int
) -> None:
    plan_zip(entries(1))  # caches and compiled patterns are not the plan's
    tracemalloc.start()
    try:
        plan = plan_zip(entries(count))
        kept, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(plan) == count
    assert kept / count <= retained
    assert most / count <= peak


def test_walking_a_plan_keeps_nothing() -> None:
    plan = plan_zip(ordinary(20_000))
    tracemalloc.start()
    try:
        for _ in plan.segments():
            pass
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most < 1_000_000


def test_starting_in_the_middle_costs_nothing_like_walking_there() -> None:
    plan = plan_zip(ordinary(MANY))
    size = plan.geometry.size
    places = [random.randrange(size) for _ in range(100)]
    places += [size - 1 - random.randrange(9_000_000) for _ in range(100)]

    def jump() -> None:
        for place in places:
            next(plan.segments(place))

    assert _cpu_seconds(jump) < _cpu_seconds(lambda: _walk(plan))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_million_entries_are_planned_in_seconds() -> None:
    plans: list[Plan] = []

    taken = _cpu_seconds(lambda: plans.append(plan_zip(ordinary(1_000_000))))

    assert len(plans[0]) == 1_000_000
    assert taken < 60  # 4 s on an idle core of 2 GHz; a busy one takes several times that


def _walk(plan: Plan) -> None:
    for _ in plan.segments():
        pass


def _cpu_seconds(work: Callable[[], None]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
