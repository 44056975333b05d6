"""The fields of the IETF draft, and what its versions differ in."""

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from penstock.server.draft.disposition import given_name
from penstock.server.draft.fields import Draft, boolean, draft_of, integer, upload_lengths

MOST = 10**15 - 1
NOW = Draft(8, announced=True)


def fields(*lines: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(lines))


@given(st.integers(0, MOST))
def test_a_non_negative_integer_is_read_as_it_is_written(value: int) -> None:
    assert integer(fields(("Upload-Offset", str(value))), "Upload-Offset") == value


@pytest.mark.parametrize(
    "value",
    ["-1", "1.0", "?1", "abc", '"1"', ":MQ==:", "", "1 2", "1, 2", "0x1", "1" * 16, "１"],
)
def test_any_other_offset_is_ignored(value: str) -> None:
    assert integer(fields(("Upload-Offset", value)), "Upload-Offset") is None


@pytest.mark.parametrize("value", ["1", "0", "true", "?2", "??1", "?1, ?1", "", "€1", "\udce91"])
def test_any_other_completeness_is_ignored(value: str) -> None:
    assert boolean(fields(("Upload-Complete", value)), "Upload-Complete") is None


@pytest.mark.parametrize("value", ["?1", " ?1 ", "?1;why=done"])
def test_parameters_and_space_around_a_value_have_no_meaning(value: str) -> None:
    assert boolean(fields(("Upload-Complete", value)), "Upload-Complete") is True


def test_a_field_that_stands_twice_is_no_item() -> None:
    twice = fields(("Upload-Offset", "1"), ("Upload-Offset", "1"))

    assert integer(twice, "Upload-Offset") is None


@given(st.text(max_size=40))
def test_no_value_is_taken_for_more_than_it_is(value: str) -> None:
    one = fields(("X", value))

    assert boolean(one, "X") in (True, False, None)
    number = integer(one, "X")
    assert number is None or (type(number) is int and 0 <= number <= MOST)
    assert boolean(one, "X") is None or number is None


@given(st.one_of(st.booleans(), st.integers(-MOST, MOST), st.binary(max_size=9)))
def test_structured_fields_of_other_libraries_are_understood(value: bool | int | bytes) -> None:
    one = fields(("X", http_sf.ser(value)))

    assert boolean(one, "X") == (value if isinstance(value, bool) else None)
    counts = type(value) is int and value >= 0
    assert integer(one, "X") == (value if counts else None)


@given(
    st.none() | st.integers(0, 10**18),
    st.none() | st.integers(0, 10**18),
    st.none() | st.floats(-1e6, 1e12),
)
def test_limits_are_always_a_dictionary_of_integers(
    most: int | None, most_append: int | None, age: float | None
) -> None:
    value = NOW.limit(most=most, most_append=most_append, age=age)["Upload-Limit"]

    told = http_sf.parse(value.encode(), tltype="dictionary")
    assert isinstance(told, dict)
    assert told
    for member in told.values():
        assert isinstance(member, tuple)
        assert isinstance(member[0], int)
        assert 0 <= member[0] <= MOST


def test_no_limit_at_all_is_told_as_a_minimum_of_zero() -> None:
    assert NOW.limit(most=None) == {"Upload-Limit": "min-size=0"}


@pytest.mark.parametrize(("version", "name"), [(3, "expires"), (6, "expires"), (8, "max-age")])
def test_the_lifetime_has_the_name_of_the_version(version: int, name: str) -> None:
    limit = Draft(version, announced=True).limit(most=9, age=60.9)

    assert limit == {"Upload-Limit": f"max-size=9, {name}=60"}


@pytest.mark.parametrize("version", [3, 5, 6, 8])
def test_a_version_that_is_named_is_spoken(version: int) -> None:
    assert draft_of(fields(("Upload-Draft-Interop-Version", str(version)))) == Draft(
        version, announced=True
    )


@pytest.mark.parametrize("value", ["", "2", "7", "9", "8.0", "draft", "-8", "8, 8"])
def test_any_other_version_gets_the_current_one_and_nothing_announced(value: str) -> None:
    assert draft_of(fields(("Upload-Draft-Interop-Version", value))) == Draft(8, announced=False)


@pytest.mark.parametrize(
    ("version", "line", "complete"),
    [
        ("3", ("Upload-Incomplete", "?1"), False),
        ("3", ("Upload-Incomplete", "?0"), True),
        ("3", ("Upload-Complete", "?1"), None),
        ("5", ("Upload-Complete", "?1"), True),
        ("8", ("Upload-Incomplete", "?1"), None),
        ("8", ("Upload-Complete", "?0"), False),
    ],
)
def test_the_versions_say_differently_whether_all_is_there(
    version: str, line: tuple[str, str], complete: bool | None
) -> None:
    asked = fields(("Upload-Draft-Interop-Version", version), line)

    assert draft_of(asked).complete(asked) is complete


def test_the_oldest_field_is_understood_without_a_version() -> None:
    asked = fields(("Upload-Incomplete", "?1"))

    assert draft_of(asked) == Draft(3, announced=False)


@given(st.integers(0, MOST), st.none() | st.integers(0, MOST), st.booleans())
def test_only_the_last_content_tells_the_length(
    offset: int, content: int | None, complete: bool
) -> None:
    told = upload_lengths(fields(), complete=complete, offset=offset, content_length=content)

    assert told == ([offset + content] if complete and content is not None else [])


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('inline; filename="a b.txt"', "a b.txt"),
        ("attachment; filename=a.txt", "a.txt"),
        ("inline; filename=\"x\"; filename*=UTF-8''%e6%97%a5%20b.txt", "日 b.txt"),
        ("inline; filename*=iso-8859-1'en'%A3.txt; filename=b", "£.txt"),
        ('inline; filename="a;b\\"c.txt"', 'a;b"c.txt'),
        ('inline; filename="folder/a.txt"', "folder/a.txt"),
        ('inline;filename="日本.txt"', "日本.txt"),
    ],
)
def test_the_file_name_is_read_from_the_disposition(header: str, name: str) -> None:
    assert given_name(header) == name


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "inline",
        'filename="a"',
        'inline; filename="unclosed',
        'inline; filename="a"; filename="b"',
        "inline; filename*=UTF-8''%ff",
        'inline; filename=""',
    ],
)
def test_a_disposition_without_a_clear_name_gives_none(header: str | None) -> None:
    assert given_name(header) is None


@given(st.text(max_size=60))
def test_no_disposition_breaks_the_reader(header: str) -> None:
    name = given_name(header)

    assert name is None or name != ""
