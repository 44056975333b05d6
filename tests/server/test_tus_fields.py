"""What tus says in header fields, against values that nobody thought of."""

import base64
import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from penstock.errors import BadRequest
from penstock.server.tus.checksum import parse_checksum
from penstock.server.tus.creation import parse_creation
from penstock.server.tus.fields import number
from penstock.server.tus.metadata import Metadata
from penstock.uploads import Creation

PATH = "/v1/uploads"
KEYS = st.text(string.ascii_letters + string.digits + "_-./!~", min_size=1, max_size=20)
# What HTTP lets into a field value.
VALUES = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\0", exclude_categories=["Cs"])
)


def fields(**values: str) -> CIMultiDictProxy[str]:
    """Header fields; underscores stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return CIMultiDictProxy(CIMultiDict(named))


@given(st.dictionaries(KEYS, st.binary(max_size=50), max_size=8))
def test_metadata_are_read_as_they_were_written(pairs: dict[str, bytes]) -> None:
    written = ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in pairs.items())

    metadata = Metadata(written)

    for key, value in pairs.items():
        try:
            text = value.decode()
        except UnicodeDecodeError:
            with pytest.raises(BadRequest):
                metadata.text(key)
        else:
            assert metadata.text(key) == text


@given(VALUES)
def test_metadata_are_taken_or_refused_and_come_back_in_one_line(field: str) -> None:
    try:
        metadata = Metadata(field)
    except BadRequest:
        return
    assert metadata.field == field.strip()
    assert metadata.field.isprintable() or not metadata.field


@given(st.integers(min_value=0, max_value=10**17), st.integers(0, 5))
def test_numbers_are_read(value: int, zeros: int) -> None:
    assert number(fields(Upload_Offset="0" * zeros + str(value)), "Upload-Offset") == value


@given(VALUES)
def test_what_is_no_number_is_refused(value: str) -> None:
    try:
        found = number(fields(Upload_Offset=value), "Upload-Offset")
    except BadRequest:
        return
    assert found is not None
    assert set(value) <= set(string.digits)


@given(VALUES)
def test_checksums_are_taken_or_refused(value: str) -> None:
    try:
        assert parse_checksum(value) is not None
    except BadRequest:
        return
    assert value.partition(" ")[0] in ("sha1", "sha256", "sha512", "md5", "crc32", "crc32c")


@given(
    st.dictionaries(
        st.sampled_from(
            ["Upload_Length", "Upload_Defer_Length", "Upload_Metadata", "Upload_Concat"]
        ),
        VALUES
        | st.sampled_from(["0", "1", "5", "partial", "final;/v1/uploads/a", "filename YQ=="]),
    )
)
def test_creations_are_understood_or_refused(values: dict[str, str]) -> None:
    with suppress(BadRequest):
        wish = parse_creation(fields(**values), PATH)
        assert isinstance(wish, Creation)


@given(VALUES.filter(lambda text: " " not in text))
def test_a_part_is_an_upload_of_ours_whatever_the_url(url: str) -> None:
    try:
        wish = parse_creation(fields(Upload_Concat=f"final;{url}"), PATH)
    except BadRequest:
        return
    allowed = set(string.ascii_letters + string.digits + "_-")
    assert all(set(part) <= allowed for part in wish.parts)
