"""``--header``, for the requests that a server sends to others."""

from collections.abc import Callable, Iterable
from typing import Any

import click


def header_option(meaning: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option; ``headers`` is what the command gets, for :func:`headers_of`."""
    return click.option("--header", "headers", metavar="'NAME: VALUE'", multiple=True, help=meaning)


def headers_of(arguments: Iterable[str]) -> dict[str, str]:
    """Names and values. They are not told in errors: they may hold secrets.

    :raises click.UsageError: one has no name.
    """
    headers = {}
    for argument in arguments:
        name, colon, value = argument.partition(":")
        if not colon or not name.strip():
            raise click.UsageError("--header must look like 'Name: value'")
        headers[name.strip()] = value.strip()
    return headers
