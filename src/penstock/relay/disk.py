"""The files of a cache on the disk: what is found there, opened, noted and removed. Blocks."""

import json
import os
from contextlib import suppress
from dataclasses import dataclass

from penstock.relay.facts import load_facts, save_facts
from penstock.relay.told import Told

PART = ".part"
FACTS = ".json"


@dataclass(frozen=True, slots=True)
class Contents:
    """Names and sizes of files and parts, and the addresses that the parts come from."""

    sizes: list[tuple[str, int]]
    unfinished: list[str]


def scan(folder: str) -> Contents:
    """What is there, the least lately used first; what fits to nothing is removed."""
    os.makedirs(folder, exist_ok=True)
    found: list[tuple[int, str, int]] = []
    unfinished = []
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if name.endswith(FACTS):
                if not os.path.exists(path.removesuffix(FACTS)):
                    os.unlink(path)
                continue
            told = _known(path)
            if told is None:
                remove(path)
                continue
            if isinstance(told, str):
                unfinished.append(told)
            used = os.stat(path + FACTS).st_mtime_ns
            found.append((used, name, os.stat(path).st_size))
    return Contents([(name, size) for _, name, size in sorted(found)], unfinished)


def _known(path: str) -> Told | str | None:
    """What is known of a file, or of a part the address that it comes from."""
    if not path.endswith(PART):
        with suppress(OSError):
            return load_facts(path + FACTS, os.stat(path))
        return None
    try:
        with open(path + FACTS, encoding="utf-8") as file:
            return str(json.load(file)["url"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def open_file(path: str) -> tuple[int, Told] | None:
    """A descriptor of a file and what is known of it; ``None`` if they do not fit."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    told = load_facts(path + FACTS, os.fstat(fd))
    if told is None:
        os.close(fd)
        return None
    with suppress(OSError):
        os.utime(path + FACTS)  # when it was used last, for the next start
    return fd, told


def close_file(opened: tuple[int, Told] | None) -> None:
    """Close what :func:`open_file` opened."""
    if opened is not None:
        os.close(opened[0])


def save(path: str, told: Told) -> None:
    """Note what is known of a file."""
    save_facts(path + FACTS, os.stat(path), told)


def refresh(path: str, told: Told) -> None:
    """Note what is told now of the very same version, unless another is there."""
    with suppress(FileNotFoundError):
        stat = os.stat(path)
        known = load_facts(path + FACTS, stat)
        if known is not None and known.same(told):
            save_facts(path + FACTS, stat, known.freshened(told))


def remove(path: str) -> None:
    """Remove a file and what is known of it."""
    for one in (path, path + FACTS):
        with suppress(FileNotFoundError):
            os.unlink(one)
