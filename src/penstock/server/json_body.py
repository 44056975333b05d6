"""Bodies of requests that are JSON."""

import json

from aiohttp import web

from penstock.errors import BadRequest, UnsupportedMediaType
from penstock.server.receiving import small_body

_MOST_FLAG = 1024


async def json_body(request: web.Request, most: int, what: str = "the body") -> bytes:
    """A body of at most ``most`` bytes that says it is JSON, whole and not parsed yet.

    :raises UnsupportedMediaType: it says it is something else.
    :raises TooLarge: it is longer.
    """
    if request.content_type != "application/json":
        raise UnsupportedMediaType(f"send {what} as application/json")
    return await small_body(request, most)


async def flag_in(request: web.Request, name: str) -> bool:
    """The member ``name`` of a JSON object, which is true or false.

    :raises UnsupportedMediaType: the body says it is something else.
    :raises BadRequest: it has no such member.
    """
    what = f'{{"{name}": true}} or {{"{name}": false}}'
    body = await json_body(request, _MOST_FLAG, what)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    flag = document.get(name) if isinstance(document, dict) else None
    if not isinstance(flag, bool):
        raise BadRequest(f"send {what}")
    return flag
