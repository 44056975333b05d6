"""No two members fall together when they are unpacked, on any file system."""

import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.zipstream import Entry, Plan, Rename, plan_zip
from tests.zipstream.strategies import any_name, paths


def planned(names: Sequence[str]) -> Plan:
    return plan_zip(Entry(name, 0, 0, 0) for name in names)


def final(names: Sequence[str]) -> list[str]:
    plan = planned(names)
    return [plan.name(i) for i in range(len(plan))]


def folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


@given(st.lists(st.one_of(any_name, paths), max_size=40))
def test_no_two_names_fall_together(names: list[str]) -> None:
    given_names = [folded(name) for name in final(names)]

    assert len(set(given_names)) == len(names)
    files = {name for name in given_names if not name.endswith("/")}
    folders = {name[:cut] for name in given_names for cut, c in enumerate(name) if c == "/"}
    assert not files & folders


@given(st.lists(paths, max_size=40))
def test_renames_tell_exactly_what_changed(names: list[str]) -> None:
    plan = planned(names)

    changed = [
        Rename(i, name, plan.name(i)) for i, name in enumerate(names) if plan.name(i) != name
    ]

    assert list(plan.renames) == changed


@pytest.mark.parametrize(
    ("wanted", "given_names"),
    [
        (["a", "a", "a"], ["a", "a (2)", "a (3)"]),
        (["a.txt", "A.TXT"], ["a.txt", "A (2).TXT"]),
        (["straße", "STRASSE"], ["straße", "STRASSE (2)"]),
        (["é", "e\u0301"], ["é", "é (2)"]),
        (["a", "a", "a (2)"], ["a", "a (3)", "a (2)"]),
        (["Dir/a", "dir/b", "DIR/A"], ["Dir/a", "dir/b", "DIR/A (2)"]),
        (["x", "x/y"], ["x (2)", "x/y"]),
        (["x/y", "X"], ["x/y", "X (2)"]),
        (["x", "x/y/z", "x/y"], ["x (2)", "x/y/z", "x/y (2)"]),
        (["x", "x/"], ["x (2)", "x/"]),
        (["x/", "x/y"], ["x/", "x/y"]),
        (["x/", "X/", "x/y"], ["x/", "X (2)/", "x/y"]),
        (["x", "x", "x/y", "x (2)/z"], ["x (3)", "x (4)", "x/y", "x (2)/z"]),
        (["a?", "a*", "a_"], ["a_", "a_ (2)", "a_ (3)"]),
        (["a/../b", "a/b"], ["a/b", "a/b (2)"]),
    ],
)
def test_who_keeps_a_name(wanted: list[str], given_names: list[str]) -> None:
    assert final(wanted) == given_names


def test_a_rename_says_what_was_wanted_even_if_it_cannot_be_encoded() -> None:
    plan = planned(["fine", "x\udc80"])

    assert list(plan.renames) == [Rename(1, "x\udc80", "x_")]
    assert plan.renames[-1] == plan.renames[0]
    assert plan.renames[:1] == [plan.renames[0]]
    with pytest.raises(IndexError):
        plan.renames[1]


def test_a_folder_with_bytes_in_it_is_a_file() -> None:
    plan = plan_zip([Entry("x/", 3, 1, 0), Entry("x/y", 1, 1, 0)])

    assert [plan.name(0), plan.name(1)] == ["x (2)", "x/y"]


def test_a_hundred_thousand_of_one_name_take_no_search_each() -> None:
    names = final(["same.txt"] * 100_000)

    assert names[-1] == "same (100000).txt"


def test_names_that_differ_only_where_they_are_cut_take_no_search_each() -> None:
    wanted = [f"{'x' * 250}{i:05d}" for i in range(20_000)] * 2

    names = final(wanted)

    assert len(set(names)) == len(names)
