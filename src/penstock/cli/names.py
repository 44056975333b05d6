"""Names that the commands make of their arguments."""

import os
from collections.abc import Iterable
from urllib.parse import unquote, urlsplit

import click


def as_prefix(argument: str) -> str | None:
    """The prefix that ``photos/`` means; ``/`` is everything; ``None`` for a single key."""
    if not argument.endswith("/"):
        return None
    return "" if argument == "/" else argument


def last_segment(key: str) -> str:
    """The name of the file or folder itself."""
    return key.rstrip("/").rpartition("/")[2]


def is_url(argument: str) -> bool:
    """Whether an argument is the address of a file rather than a key."""
    return argument.lower().startswith(("http://", "https://"))


def shown_url(url: str) -> str:
    """A URL without what may be secret in it."""
    from penstock.remote.urls import redacted

    return redacted(url) + ("?…" if "?" in url else "")


def name_in_url(url: str) -> str:
    """The last segment of a URL's path, decoded; empty if it cannot name a file.

    The URL is not told in errors: it may hold secrets.
    """
    try:
        name = unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""
    return "" if name in (".", "..") or "/" in name or "\0" in name else name


def local_target(key: str, out: str | None) -> str:
    """The path of one file: ``out``, or inside ``out`` if that is a folder, or here.

    :raises click.UsageError: ``key`` is a URL that names no file, and nothing else does.
    """
    if out is not None and not out.endswith("/") and not os.path.isdir(out):
        return out
    name = name_in_url(key) if is_url(key) else last_segment(key)
    if not name:
        raise click.UsageError("the URL does not end in a name: say --output FILE")
    return os.path.join(out or "", name)


def refuse_doubles(pairs: Iterable[tuple[str, str]]) -> None:
    """Make sure that no two sources go to the same place.

    :raises click.UsageError: two of the (source, place) pairs do.
    """
    sources: dict[str, str] = {}
    for source, place in pairs:
        if place in sources:
            both = [shown_url(one) if is_url(one) else one for one in (sources[place], source)]
            raise click.UsageError(f"{both[0]} and {both[1]} would both become {place}")
        sources[place] = source
