"""What is noted on a request while it is handled, for its log line and its problems."""

from aiohttp import web

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
ROUTINE = web.RequestKey("routine", bool)
"""It went well and comes every second, so only who wants to see everything finds it in the log."""
