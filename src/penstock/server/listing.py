"""What the routes that answer in pages share."""

from aiohttp import web

from penstock.errors import BadRequest

MOST_LISTED = 1000
"""Entries of one page."""


def limit_of(request: web.Request, default: int = MOST_LISTED) -> int:
    """How many entries the page shall have, by the parameter ``limit``.

    :raises BadRequest: it is no number from 1 to 1,000.
    """
    value = request.query.get("limit")
    if value is None:
        return default
    digits = value.isascii() and value.isdigit() and len(value) <= len(str(MOST_LISTED))
    if not digits or not 1 <= int(value) <= MOST_LISTED:
        raise BadRequest(f"limit must be a number from 1 to {MOST_LISTED}")
    return int(value)
