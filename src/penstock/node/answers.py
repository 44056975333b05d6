"""Errors as a node tells them: ``{"error": "..."}``."""

from aiohttp import web

from penstock.errors import PenstockError
from penstock.server import problems

_TOLD = {
    404: "there is no such page here",
    405: "this method is not allowed here",
    421: "this is another node",
}


def from_error(request: web.Request, error: PenstockError) -> web.Response:
    """The answer for an error of ours."""
    return _told(problems.from_error(request, error), error.detail)


def from_http_exception(request: web.Request, error: web.HTTPException) -> web.Response:
    """The answer for an error of the router's."""
    detail = _TOLD.get(error.status, error.reason)
    return _told(problems.from_http_exception(request, error), detail)


def internal(request: web.Request) -> web.Response:
    """The answer for a bug."""
    return _told(problems.internal(request), "the node failed on this request; see its log")


def _told(problem: web.Response, error: str) -> web.Response:
    """The same status and fields."""
    fields = {name: value for name, value in problem.headers.items() if name != "Content-Type"}
    fields.pop("Content-Length", None)
    return web.json_response({"error": error}, status=problem.status, headers=fields)
