"""The files of a node's folder: all their bytes, and their names in order, a page at a time.

A node may have millions of files. The names are sorted in pages, each of which takes a reading of
the whole folder: so memory is bounded, and no long sort keeps everything else waiting.

Everything here blocks.
"""

import os
from collections.abc import Iterator
from heapq import nsmallest

from penstock.errors import BadKey
from penstock.node.names import check_name

PAGE = 100_000
"""Names in memory at once; some 30 MB."""


def names_after(folder: int, after: str, most: int) -> list[str]:
    """The first ``most`` names behind ``after``, in bytewise order."""
    return nsmallest(most, (entry.name for entry in _files(folder, after)))


def bytes_of_all(folder: int) -> int:
    """How many bytes all files have."""
    total = 0
    for entry in _files(folder, ""):
        try:
            total += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue
    return total


def _files(folder: int, after: str) -> Iterator[os.DirEntry[str]]:
    """The files behind ``after``, in any order, but for those whose name no request could have."""
    # A descriptor of its own: readers of one descriptor would share its position.
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        with os.scandir(fd) as entries:
            for entry in entries:
                if entry.name > after and entry.is_file(follow_symlinks=False) and _is_name(entry):
                    yield entry
    finally:
        os.close(fd)


def _is_name(entry: os.DirEntry[str]) -> bool:
    try:
        check_name(entry.name)
    except BadKey:
        return False
    return True
