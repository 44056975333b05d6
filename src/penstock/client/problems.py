"""Error answers of the server (RFC 9457) turned back into the errors they came from."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from penstock import errors
from penstock.errors import PenstockError, error_class

MAX_PROBLEM_BYTES = 1 << 20


# For answers without a problem document: HEAD, proxies, other servers.
_BY_STATUS: dict[int, type[PenstockError]] = {
    400: errors.BadRequest,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.MethodNotAllowed,
    408: errors.Stalled,
    409: errors.KeyConflict,
    410: errors.UploadGone,
    412: errors.PreconditionFailed,
    413: errors.TooLarge,
    415: errors.UnsupportedMediaType,
    416: errors.RangeNotSatisfiable,
    417: errors.ExpectationFailed,
    423: errors.Superseded,
    424: errors.SourceFailed,
    429: errors.Busy,
    502: errors.ServerUnavailable,
    503: errors.Busy,
    504: errors.ServerUnavailable,
    505: errors.HttpTooOld,
    507: errors.StorageFull,
}


async def error_of(response: aiohttp.ClientResponse) -> PenstockError:
    """The error an answer of 300 or more stands for.

    Its ``extra`` holds the members of the problem document, ``status``, and ``retry_after``
    (seconds) when the server asked for a pause.
    """
    problem = await _problem(response)
    kind = error_class(str(problem.get("code")))
    if kind is PenstockError:
        kind = _BY_STATUS.get(response.status, PenstockError)
    detail = problem.get("detail")
    if not isinstance(detail, str) or not detail:
        detail = f"{response.method} {response.url}: {response.status} {response.reason}"
    error = kind(detail)
    error.extra = {**problem, "status": response.status, **_pause(response.headers)}
    return error


async def _problem(response: aiohttp.ClientResponse) -> Mapping[str, Any]:
    if response.content_type != "application/problem+json":
        return {}
    body = b""
    while len(body) < MAX_PROBLEM_BYTES and (more := await response.content.readany()):
        body += more
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _pause(headers: Mapping[str, str]) -> dict[str, float]:
    """``Retry-After`` as seconds from now (RFC 9110 §10.2.3), if it is there and makes sense."""
    value = headers.get("Retry-After", "")
    if value.isascii() and value.isdigit():
        return {"retry_after": float(value)}
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return {}
    seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return {"retry_after": max(0.0, seconds)}
