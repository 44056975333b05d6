"""``/v1/audit``: who did what."""

import re

from aiohttp import web

from penstock.catalog.access import AuditRow
from penstock.errors import BadRequest
from penstock.server.listing import limit_of
from penstock.server.services import services_of
from penstock.server.urls import rfc3339

_DEFAULT_LISTED = 100
_SEQUENCE = re.compile(r"[0-9]{1,18}", re.ASCII)
_WORDS = re.compile(r"[A-Za-z0-9:._-]{0,128}", re.ASCII)
_NO_STORE = {"Cache-Control": "no-store"}


async def list_audit(request: web.Request) -> web.Response:
    """``GET /v1/audit``: a page of it, the newest lines first.

    :raises BadRequest: a parameter is malformed.
    """
    limit = limit_of(request, _DEFAULT_LISTED)
    found = await services_of(request).access.audit.page(
        limit, _before(request), _words(request, "action"), _words(request, "actor")
    )
    document = {
        "lines": [_line_json(line) for line in found],
        "next": found[-1].sequence if len(found) == limit else None,
    }
    return web.json_response(document, headers=_NO_STORE)


def _line_json(line: AuditRow) -> dict[str, object]:
    return {
        "id": line.sequence,
        "time": rfc3339(line.time),
        "actor": line.actor,
        "name": line.name,
        "action": line.action,
        "subject": line.subject,
        "status": line.status,
        "remote": line.remote,
        "request_id": line.request_id,
    }


def _before(request: web.Request) -> int | None:
    after = request.query.get("after", "")
    if not after:
        return None
    if _SEQUENCE.fullmatch(after) is None:
        raise BadRequest("after must be what next said on the page before")
    return int(after)


def _words(request: web.Request, name: str) -> str:
    value = request.query.get(name, "")
    if _WORDS.fullmatch(value) is None:
        raise BadRequest(f"{name} must be one as the lines have it, such as token.add or login")
    return value
