"""Names that the commands make of their arguments."""

import os
from collections.abc import Iterable

import click


def as_prefix(argument: str) -> str | None:
    """The prefix that ``photos/`` means; ``/`` is everything; ``None`` for a single key."""
    if not argument.endswith("/"):
        return None
    return "" if argument == "/" else argument


def last_segment(key: str) -> str:
    """The name of the file or folder itself."""
    return key.rstrip("/").rpartition("/")[2]


def local_target(key: str, out: str | None) -> str:
    """The path of one file: ``out``, or inside ``out`` if that is a folder, or here."""
    if out is None:
        return last_segment(key)
    if out.endswith("/") or os.path.isdir(out):
        return os.path.join(out, last_segment(key))
    return out


def refuse_doubles(pairs: Iterable[tuple[str, str]]) -> None:
    """Make sure that no two sources go to the same place.

    :raises click.UsageError: two of the (source, place) pairs do.
    """
    sources: dict[str, str] = {}
    for source, place in pairs:
        if place in sources:
            raise click.UsageError(f"{sources[place]} and {source} would both become {place}")
        sources[place] = source
