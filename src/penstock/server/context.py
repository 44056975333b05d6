"""What is noted on a request while it is handled, for its log line and its problems."""

import re
from urllib.parse import quote

from aiohttp import web

_SHARE_ID = re.compile(r"[A-Za-z0-9_-]{1,16}", re.ASCII)


class Meter:
    """Watches what goes out of one response."""

    async def was_sent(self, count: int) -> None:
        """So many bytes of the body went out just now; if this raises, no more do."""
        raise NotImplementedError


REQUEST_ID = web.RequestKey("request_id", str)
RECEIVED = web.RequestKey("received", int)
"""Bytes of the body that came in."""
SENT = web.RequestKey("sent", int)
"""Bytes of the body that went out."""
BEGUN = web.RequestKey("begun", web.StreamResponse)
"""The response whose head has been sent: from then on an error can only cut the connection."""
CUT = web.RequestKey("cut", bool)
"""The body could not be completed and the connection was cut."""
ERROR_FIELDS = web.RequestKey("error_fields", dict[str, str])
"""Header fields that the answer gets if it turns out to be a problem."""
CLOSING = web.RequestKey("closing", bool)
"""The connection cannot be used for another request."""
METER = web.RequestKey("meter", Meter)
ROUTINE = web.RequestKey("routine", bool)
"""It went well and comes every second, so only who wants to see everything finds it in the log."""


def shown_path(request: web.Request) -> str:
    """The path for logs: of a share link without the signature, which is as good as a token."""
    raw = request.rel_url.raw_path
    # Routes are found by the decoded path: /%73/… is one of a share as well.
    if raw[1:2] not in ("s", "%"):
        return raw
    path = request.path
    if not path.startswith("/s/"):
        return raw
    link, slash, rest = path[3:].partition("/")
    identity = _SHARE_ID.match(link)
    # It was decoded, but a log is read in terminals, line by line.
    return f"/s/{identity[0] if identity else ''}{slash}{quote(rest, errors='replace')}"
