"""Files in a relay's folder: whether they are the upstream's, and what there is of them. Blocks."""

import hashlib
import json
import os
import stat
import threading
from contextlib import suppress

from penstock.client.answers import Version
from penstock.client.part_file import adopt
from penstock.errors import KeyConflict
from penstock.relay.facts import load_facts, save_facts
from penstock.relay.told import Told

_PIECE = 1 << 20
_STATE = ".part.json"


def note_facts(target: str, facts: str, told: Told) -> None:
    """Note what is known of the file."""
    os.makedirs(os.path.dirname(facts), exist_ok=True)
    of = os.stat(target)
    save_facts(facts, of, Told(of.st_size, told.sha256, told.headers))


def incomplete(folder: str) -> list[tuple[str, str]]:
    """The names of files of which there are parts, and the addresses that those came from."""
    found = []
    for state in [name for name in os.listdir(folder) if name.endswith(_STATE)]:
        path = os.path.join(folder, state)
        with suppress(OSError, ValueError, TypeError, KeyError), open(path, "rb") as file:
            found.append((state.removesuffix(_STATE), str(json.load(file)["url"])))
    return found


def is_here(target: str, facts: str, told: Told, closing: threading.Event) -> bool:
    """Whether the file is what the upstream tells."""
    try:
        of = os.lstat(target)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(of.st_mode):
        raise KeyConflict("something that is no file has this name in the relay's folder")
    if of.st_size != told.size:
        return False
    known = load_facts(facts, of)
    if known is not None and (known.same(told) or not (told.has_validator or told.sha256)):
        # An upstream without validators tells the size, and nothing more.
        return True
    if told.sha256 is None or _sha256(target, closing) != told.sha256:
        return False
    note_facts(target, facts, told)
    return True


def take_up(target: str, url: str, told: Told) -> None:
    """Let a file that may be the beginning be gone on with, if the whole can be proven."""
    if told.size is None or told.sha256 is None or told.etag is None:
        return
    try:
        size = os.lstat(target).st_size
    except FileNotFoundError:
        return
    if 0 < size < told.size and not os.path.lexists(target + ".part"):
        adopt(target, url, Version(told.etag, told.size, told.sha256))


def _sha256(path: str, closing: threading.Event) -> str | None:
    """The SHA-256 (hex) of a file; ``None`` if nobody waits for it any more."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(_PIECE):
            if closing.is_set():
                return None
            digest.update(data)
    return digest.hexdigest()
