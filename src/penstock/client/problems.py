"""Error answers of the server (RFC 9457) turned back into the errors they came from."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from yarl import URL

from penstock import errors
from penstock.errors import PenstockError, error_class
from penstock.remote.urls import redacted

MAX_PROBLEM_BYTES = 1 << 20


# For answers without a problem document: HEAD, proxies, other servers.
_BY_STATUS: dict[int, type[PenstockError]] = {
    400: errors.BadRequest,
    401: errors.LoginNeeded,
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
    """The error an answer of 300 or more stands for; see :func:`error_from`."""
    body = b""
    if has_problem(response.headers):
        while len(body) < MAX_PROBLEM_BYTES and (more := await response.content.readany()):
            body += more
    what = f"{response.method} {shown(response.url)}: {response.status} {response.reason}"
    return error_from(what, response.status, response.headers, body)


def error_from(
    what: str, status: int, headers: Mapping[str, str], body: bytes = b""
) -> PenstockError:
    """The error an answer stands for; ``what`` is its text if ``body`` is no problem document.

    Its ``extra`` holds the members of the problem document, ``status``, and ``retry_after``
    (seconds) when the server asked for a pause.
    """
    problem = _problem(body) if has_problem(headers) else {}
    kind = error_class(str(problem.get("code")))
    if kind is PenstockError:
        kind = _BY_STATUS.get(status, PenstockError)
    detail = problem.get("detail")
    error = kind(detail if isinstance(detail, str) and detail else what)
    error.extra = {**problem, "status": status, **_pause(headers)}
    if status == 401 and "WWW-Authenticate" in headers:
        error.extra = {**error.extra, "challenge": headers["WWW-Authenticate"]}
    return error


def shown(url: URL) -> str:
    """An address as errors may tell it: what follows the path may be secret."""
    return redacted(str(url))


def has_problem(headers: Mapping[str, str]) -> bool:
    """Whether the body of an answer is a problem document."""
    kind = headers.get("Content-Type", "").partition(";")[0]
    return kind.strip().lower() == "application/problem+json"


def _problem(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _pause(headers: Mapping[str, str]) -> dict[str, float]:
    """``Retry-After`` as seconds from now (RFC 9110 §10.2.3), if it is there and makes sense."""
    value = headers.get("Retry-After", "")
    if value.isascii() and value.isdigit():
        return {"retry_after": float(value)}
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return {}
    seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return {"retry_after": max(0.0, seconds)}
