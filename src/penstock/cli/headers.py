"""``--header``, for the requests that a server sends to others."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import click

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""A field's name and value, as RFC 9110 §5.1 and §5.5 have them."""


def header_option(meaning: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option; ``headers`` is what the command gets, for :func:`headers_of`."""
    return click.option("--header", "headers", metavar="'NAME: VALUE'", multiple=True, help=meaning)


def headers_of(arguments: Iterable[str]) -> dict[str, str]:
    """Names and values. They are not told in errors: they may hold secrets.

    :raises click.UsageError: one has no name, or cannot be sent in HTTP.
    """
    headers = {}
    for argument in arguments:
        name, colon, value = (part.strip(" \t") for part in argument.partition(":"))
        if not colon or not name:
            raise click.UsageError("--header must look like 'Name: value'")
        if not _NAME.fullmatch(name):
            raise click.UsageError("--header: a name has letters, digits and hyphens only")
        if not _VALUE.fullmatch(value):
            raise click.UsageError(
                "--header: a value may not have control characters, nor any that is not in Latin-1"
            )
        headers[name] = value
    return headers
