"""What a ZIP is held against."""

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO

from load.wire import PIECE, Wrong


def check(file: IO[bytes], wanted: Mapping[str, str]) -> int:
    """Hold the members of a ZIP against the SHA-256 of each by its name; answers their bytes.

    :raises Wrong: it is no ZIP, is not whole, or a member is missing, too many, or another one.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if sorted(names) != sorted(wanted):
                raise Wrong(f"the ZIP has {names[:20]}, not {sorted(wanted)[:20]}")
            return sum(_member(archive, name, wanted[name]) for name in names)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise Wrong(f"no ZIP: {error}") from error


def _member(archive: zipfile.ZipFile, name: str, wanted: str) -> int:
    found, size = hashlib.sha256(), 0
    with archive.open(name) as member:
        while piece := member.read(PIECE):
            found.update(piece)
            size += len(piece)
    if found.hexdigest() != wanted:
        raise Wrong(f"{name} in the ZIP: SHA-256 {found.hexdigest()}, not {wanted}")
    return size
