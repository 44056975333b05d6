"""What surrounds every request: its id, its log line, and errors as problems."""

import asyncio
import logging
import re
import time
from random import getrandbits
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from penstock.catalog.away import told_when_away
from penstock.errors import PenstockError
from penstock.logs import note
from penstock.server import problems
from penstock.server.context import (
    BEGUN,
    CLOSING,
    CUT,
    RECEIVED,
    REQUEST_ID,
    ROUTINE,
    SENT,
    shown_path,
)
from penstock.server.receiving import check_expectation, check_origin
from penstock.server.serving import serving_of

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_ABORTED = 499  # as nginx logs it: the client left, or the connection was cut on purpose


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, log one line when it is over."""
    given = request.headers.get("X-Request-ID", "")
    request[REQUEST_ID] = given if _REQUEST_ID.fullmatch(given) else f"{getrandbits(64):016x}"
    watch = serving_of(request).watch
    if watch is not None:
        watch.begun(request)
    started = time.perf_counter()
    status = _ABORTED
    try:
        response = await handler(request)
        status = _ABORTED if CUT in request else response.status
        return response
    finally:
        seconds = time.perf_counter() - started
        _log_line(request, status, seconds)
        if watch is not None:
            watch.ended(request, status, seconds)


def _log_line(request: web.Request, status: int, seconds: float) -> None:
    note(
        "request",
        level=logging.DEBUG if ROUTINE in request else logging.INFO,
        request_id=request[REQUEST_ID],
        method=request.method,
        path=shown_path(request),
        status=status,
        seconds=round(seconds, 6),
        received=request.get(RECEIVED, 0),
        sent=request.get(SENT, 0),
        remote=request.remote,
    )


class Answers(Protocol):
    """How errors are told."""

    def from_error(self, request: web.Request, error: PenstockError, /) -> web.Response:
        """The answer for an error of ours."""

    def from_http_exception(
        self, request: web.Request, error: web.HTTPException, /
    ) -> web.Response:
        """The answer for an error of the router's."""

    def internal(self, request: web.Request, /) -> web.Response:
        """The answer for a bug."""


def errors_as(answers: Answers) -> Middleware:
    """The middleware that turns errors into answers."""

    @web.middleware
    async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer what a handler raises; if its own answer has begun, cut the connection."""
        try:
            check_origin(request)
            check_expectation(request)
            with told_when_away():
                return await handler(request)
        except asyncio.CancelledError:
            raise
        except ConnectionError:  # the client left: nobody is there to be told
            request[CUT] = True
            begun = request.get(BEGUN)
            return web.Response(status=_ABORTED) if begun is None else begun
        except PenstockError as error:
            answer = answers.from_error(request, error)
            reason = error.detail
            _count(request, error.code)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            answer = answers.from_http_exception(request, error)
            reason = error.reason
        except Exception as error:  # noqa: BLE001 - the last line of defence: logged, never shown
            note(
                "unexpected error", level=logging.ERROR, failed=True, request_id=request[REQUEST_ID]
            )
            answer = answers.internal(request)
            reason = type(error).__name__
            _count(request, "internal")
        begun = request.get(BEGUN)
        if begun is None:
            return answer
        return _cut(request, begun, reason)

    return errors


def _count(request: web.Request, code: str) -> None:
    watch = serving_of(request).watch
    if watch is not None:
        watch.problem(code)


errors = errors_as(problems)


def _cut(request: web.Request, begun: web.StreamResponse, reason: str) -> web.StreamResponse:
    """End a body that cannot be completed so that no client can take it for complete."""
    note(
        "transfer cut",
        level=logging.ERROR,
        request_id=request[REQUEST_ID],
        reason=reason,
        sent=request.get(SENT, 0),
    )
    request[CUT] = True
    begun.force_close()
    if request.transport is not None:
        request.transport.abort()
    return begun


async def identify(request: web.Request, response: web.StreamResponse) -> None:
    """Name the request in its answer; ask clients to leave when the server is on its way out."""
    response.headers["X-Request-ID"] = request[REQUEST_ID]
    response.headers["Server"] = "Penstock"
    if CLOSING in request or serving_of(request).traffic.draining:
        response.force_close()
        response.headers["Connection"] = "close"
