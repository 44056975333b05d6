"""Files beneath a folder in key order, lazily. Blocks: run it in a worker thread."""

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from penstock.errors import BadKey
from penstock.stores.keys import RESERVED, check_key

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which keys a walk is after: those that start with ``prefix`` and come after ``after``.

    ``empty_folders`` are found too if asked for; that goes with neither of the other two.
    """

    prefix: str
    after: str
    delimiter: str
    empty_folders: bool = False

    def wants(self, key: str) -> bool:
        return key.startswith(self.prefix) and key > self.after

    def may_hold(self, folder: str) -> bool:
        """Whether a key below ``folder`` (which ends in ``/``) may be wanted."""
        if not (folder.startswith(self.prefix) or self.prefix.startswith(folder)):
            return False
        return folder > self.after or self.after.startswith(folder)

    def rolls_up(self, folder: str) -> bool:
        """Whether the delimiter makes ``folder`` a common prefix instead of its files."""
        return bool(self.delimiter) and len(folder) > len(self.prefix)


Found = tuple[str, os.stat_result | None]


def walk(root: int, wanted: Wanted) -> Generator[Found, None, None]:
    """Keys with their status, and common prefixes with ``None``, in bytewise key order.

    Empty folders have a status, and a slash at the end. Symbolic links, special files and names
    that cannot be keys are passed over.
    """
    fd = os.open(".", _FOLDER, dir_fd=root)
    return _walk(fd, "", wanted)


def _walk(fd: int, folder: str, wanted: Wanted) -> Generator[Found, None, None]:
    """Walk one folder; owns and closes ``fd``."""
    try:
        children = _children(fd, folder)
        if not children and folder and wanted.empty_folders and wanted.wants(folder):
            yield from _empty_folder(fd, folder)
        for name, is_folder in children:
            key = folder + name
            if not is_folder:
                if wanted.wants(key):
                    yield from _file(fd, key)
            elif wanted.may_hold(key):
                yield from _subfolder(fd, key, wanted)
    finally:
        os.close(fd)


def _children(fd: int, folder: str) -> list[tuple[str, bool]]:
    """The names in a folder as they sort in keys: a folder's name counts with its slash."""
    children = []
    with os.scandir(fd) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder and not entry.is_file(follow_symlinks=False):
                continue
            if not folder and entry.name == RESERVED:
                continue
            children.append((entry.name + "/" if is_folder else entry.name, is_folder))
    children.sort()
    return children


def _file(folder: int, key: str) -> Iterator[Found]:
    try:
        check_key(key)
        found = os.stat(key.rpartition("/")[2], dir_fd=folder, follow_symlinks=False)
    except (BadKey, FileNotFoundError):
        return
    yield key, found


def _empty_folder(fd: int, key: str) -> Iterator[Found]:
    try:
        check_key(key[:-1])
    except BadKey:
        return
    yield key, os.fstat(fd)


def _subfolder(parent: int, key: str, wanted: Wanted) -> Iterator[Found]:
    if wanted.rolls_up(key):
        if key <= wanted.after:
            return
        # An empty folder is not part of any key, so one file must stand behind the prefix.
        with closing(_enter(parent, key, Wanted(key, "", ""))) as inside:
            holds_a_file = next(inside, None) is not None
        if holds_a_file:
            yield key, None
        return
    yield from _enter(parent, key, wanted)


def _enter(parent: int, key: str, wanted: Wanted) -> Generator[Found, None, None]:
    name = key.rstrip("/").rpartition("/")[2]
    try:
        fd = os.open(name, _FOLDER, dir_fd=parent)
    except OSError:
        return  # gone, replaced by a link, or not ours to read
    yield from _walk(fd, key, wanted)
