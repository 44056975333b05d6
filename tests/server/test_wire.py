"""Telling pages in memory from those that would wait for the disk."""

import os
from pathlib import Path

import pytest

from penstock.server.wire import in_page_cache

MIB = 1 << 20


@pytest.fixture
def cold(tmp_path: Path) -> int:
    """A descriptor of a 4 MiB file none of which is in memory."""
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.write(fd, os.urandom(4 * MIB))
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        os.preadv(fd, [bytearray(1)], 2 * MIB, os.RWF_NOWAIT)
    except BlockingIOError:
        return fd
    except OSError:
        pytest.skip("this file system does not support RWF_NOWAIT")
    pytest.skip("this file system does not drop pages on request")


def test_a_cold_file_is_not_in_the_page_cache(cold: int) -> None:
    assert not in_page_cache(cold, 0, 4 * MIB)
    os.close(cold)


def test_a_file_just_read_is(cold: int) -> None:
    os.pread(cold, 4 * MIB, 0)

    assert in_page_cache(cold, 0, 4 * MIB)
    os.close(cold)


def test_one_cold_stretch_counts(cold: int) -> None:
    os.pread(cold, 4 * MIB, 0)
    os.posix_fadvise(cold, 2 * MIB, MIB, os.POSIX_FADV_DONTNEED)

    assert in_page_cache(cold, 0, 2 * MIB)
    assert not in_page_cache(cold, 0, 4 * MIB)
    os.close(cold)
