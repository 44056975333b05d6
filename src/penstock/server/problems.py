"""Errors as ``application/problem+json`` (RFC 9457) with a stable ``code``."""

import json
from http import HTTPStatus

from aiohttp import web

from penstock.errors import PenstockError
from penstock.server.context import ERROR_FIELDS, REQUEST_ID

_CODES = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    417: "expectation-failed",
}
_PHRASES = {460: "Checksum Mismatch"}
"""Of statuses that HTTP itself does not have: tus 1.0, Checksum."""
_DETAILS = {
    404: "there is no such page here; /docs shows the routes",
    405: "this method is not allowed here; the Allow header lists those that are",
}


def problem(
    request: web.Request,
    status: int,
    code: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    extra: dict[str, object] | None = None,
) -> web.Response:
    """The answer that tells what went wrong and what to do."""
    phrase = _PHRASES.get(status) or HTTPStatus(status).phrase
    document = {
        "type": "about:blank",
        "title": phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "instance": request.rel_url.raw_path,
        "request_id": request.get(REQUEST_ID),
        **(extra or {}),
    }
    body = json.dumps(document).encode()
    return web.Response(
        status=status,
        reason=phrase,
        body=body,
        content_type="application/problem+json",
        headers=request.get(ERROR_FIELDS, {}) | (headers or {}),
    )


def from_error(request: web.Request, error: PenstockError) -> web.Response:
    """The answer for an error of ours."""
    extra = dict(error.extra)
    headers = {}
    if (retry_after := extra.pop("retry_after", None)) is not None:
        headers["Retry-After"] = str(retry_after)
    if (header_fields := extra.pop("headers", None)) is not None:
        assert isinstance(header_fields, dict)
        headers.update(header_fields)
    return problem(request, error.status, error.code, error.detail, headers=headers, extra=extra)


def from_http_exception(request: web.Request, error: web.HTTPException) -> web.Response:
    """The answer for an error of the router's."""
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return problem(
        request,
        error.status,
        _CODES.get(error.status, "bad-request"),
        _DETAILS.get(error.status, error.text or error.reason),
        headers=headers,
    )


def internal(request: web.Request) -> web.Response:
    """The answer for a bug: says nothing of its inside, but how to find it in the log."""
    return problem(
        request,
        500,
        "internal",
        "the server failed on this request; its log has the details under this request_id",
    )
