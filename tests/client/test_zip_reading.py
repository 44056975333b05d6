"""Reading ZIPs back that Python's own library wrote."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.client.zip_reading import PIECE, Record, ZipReader
from penstock.errors import DigestMismatch

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
contents = st.binary(max_size=200) | st.integers(0, 3 * PIECE).map(bytes)
methods = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
members = st.dictionaries(names, st.tuples(contents, methods), max_size=5)


def zipped(members: dict[str, tuple[bytes, int]]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, (content, method) in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return file.getvalue()


def reader_of(data: bytes) -> ZipReader:
    return ZipReader(lambda length, at: data[at : at + length], len(data))


def check(data: bytes) -> int:
    """Read all of it; answers how many members it has."""
    reader = reader_of(data)
    for _ in reader.check():
        pass
    return reader.entries


@given(members)
def test_a_whole_zip_is_found_good(members: dict[str, tuple[bytes, int]]) -> None:
    assert check(zipped(members)) == len(members)


@given(
    st.dictionaries(names, st.tuples(st.binary(min_size=1, max_size=99), methods), min_size=1),
    st.data(),
)
def test_every_changed_bit_of_a_member_is_noticed(
    members: dict[str, tuple[bytes, int]], data: st.DataObject
) -> None:
    good = zipped(members)
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        info = data.draw(st.sampled_from(archive.infolist()))
    first = info.header_offset + 30 + len(info.filename.encode())
    at = data.draw(st.integers(first, first + info.compress_size - 1))
    bad = bytearray(good)
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    if zipfile_reads(bytes(bad), info.filename) == members[info.filename][0]:
        return  # bits of deflate that mean nothing

    with pytest.raises(DigestMismatch, match="damaged"):
        check(bytes(bad))


def zipfile_reads(data: bytes, name: str) -> bytes | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(name)
    except Exception:  # noqa: BLE001 - the library has many ways to say so
        return None


@given(members, st.data())
def test_a_zip_without_its_end_is_no_zip(
    members: dict[str, tuple[bytes, int]], data: st.DataObject
) -> None:
    good = zipped(members)
    length = data.draw(st.integers(0, len(good) - 1))

    with pytest.raises(DigestMismatch):
        check(good[:length])


def test_large_offsets(tmp_path: Path) -> None:
    """A member behind 5 GiB of nothing needs the ZIP64 records."""
    path = tmp_path / "large.zip"
    with path.open("w+b") as file:
        file.seek(5 << 30)
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("far", b"away")
            archive.writestr("farther", b"away")
        fd = file.fileno()
        reader = ZipReader(lambda length, at: os.pread(fd, length, at), os.fstat(fd).st_size)

        for _ in reader.check():
            pass

    assert [record.name for record in reader.last] == [b"far", b"farther"]
    assert reader.last[0].offset == 5 << 30


def test_the_content_of_a_member() -> None:
    reader = reader_of(zipped({"a": (b"text", zipfile.ZIP_DEFLATED)}))
    reader.walk_on()

    (record,) = reader.last

    assert isinstance(record, Record)
    assert reader.content(record, 100) == b"text"


def test_a_well_packed_member_is_unpacked_piece_by_piece() -> None:
    data = zipped({"zeros": (bytes(64 * PIECE), zipfile.ZIP_DEFLATED)})

    steps = list(reader_of(data).check())

    assert len(steps) > 4
    assert max(steps) < 10 * PIECE
