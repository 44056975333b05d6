"""In which order files go into an archive that is put together inside a store."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.archives.in_store.ordering import cheapest_order

SIZES = st.lists(st.integers(0, 100), max_size=60)
FROM, BETWEEN = 40, 25


def test_smaller_files_go_in_front_of_each_that_is_copied() -> None:
    assert list(cheapest_order([90, 80, 10, 20, 5, 30, 1], FROM, BETWEEN)) == [2, 3, 0, 4, 5, 1, 6]


def test_without_smaller_ones_the_order_is_that_of_the_folder() -> None:
    assert list(cheapest_order([90, 80, 70], FROM, BETWEEN)) == [0, 1, 2]


@given(SIZES)
def test_every_file_is_in_it_once(sizes: list[int]) -> None:
    assert sorted(cheapest_order(sizes, FROM, BETWEEN)) == list(range(len(sizes)))


@given(SIZES)
def test_files_of_a_kind_stay_in_their_order(sizes: list[int]) -> None:
    order = cheapest_order(sizes, FROM, BETWEEN)

    copied = [i for i in order if sizes[i] >= FROM]
    others = [i for i in order if sizes[i] < FROM]
    assert (copied, others) == (sorted(copied), sorted(others))


@given(SIZES)
def test_enough_lies_before_a_copied_file_or_nothing_is_left_to_put_there(sizes: list[int]) -> None:
    order = list(cheapest_order(sizes, FROM, BETWEEN))
    small = [i for i in order if sizes[i] < FROM]
    before = 0
    for at, i in enumerate(order):
        if sizes[i] < FROM:
            before += sizes[i]
            continue
        assert before >= BETWEEN or not set(small) & set(order[at + 1 :])
        before = 0
