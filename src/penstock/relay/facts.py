"""What is known of a file on disk, in a file beside it that speaks of that very file only.

They cannot be replaced in one step. So the facts name the inode and time of their file: after a
crash between the two, or when somebody else writes the file, they do not fit and do not count.
"""

import json
import os

from penstock.relay.told import Told


def save_facts(path: str, of: os.stat_result, told: Told) -> None:
    """Write what is known of the file that ``of`` describes, in one step."""
    new = path + ".new"
    with open(new, "w", encoding="utf-8") as file:
        json.dump({"file": _identity(of), **told.to_json()}, file)
    os.replace(new, path)


def load_facts(path: str, of: os.stat_result) -> Told | None:
    """What is known of the file that ``of`` describes; ``None`` if that is nothing."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        told = Told.from_json(document)
        fits = document["file"] == _identity(of) and told.size == of.st_size
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return told if fits else None


def _identity(of: os.stat_result) -> list[int]:
    return [of.st_ino, of.st_mtime_ns]
