"""Lines of the audit log, from requests."""

from typing import TypedDict

from aiohttp import web

from penstock.access import Grant
from penstock.errors import PenstockError
from penstock.server.access.actions import action_of, subject_of
from penstock.server.access.granted import GRANT
from penstock.server.context import CUT, REQUEST_ID, shown_path
from penstock.server.services import services_of

NOBODY = Grant("nobody", "", frozenset())
"""Who asks, if nobody knows."""

_ABORTED = 499


class _Facts(TypedDict):
    status: int
    remote: str
    request_id: str


def _facts(request: web.Request, status: int) -> _Facts:
    return {
        "status": status,
        "remote": request.remote or "",
        "request_id": request[REQUEST_ID],
    }


def _who(request: web.Request, grant: Grant | None) -> Grant:
    return grant or request.get(GRANT, NOBODY)


async def audit(
    request: web.Request,
    action: str,
    subject: str,
    *,
    status: int = 200,
    grant: Grant | None = None,
) -> None:
    """Note what matters for security: durable on return. ``grant`` says who did it, if that is not
    who asks."""
    log = services_of(request).access.audit
    await log.note(action, subject, _who(request, grant), **_facts(request, status))


def audit_soon(
    request: web.Request,
    action: str,
    subject: str,
    *,
    status: int = 200,
    grant: Grant | None = None,
) -> None:
    """Note what is written within a second."""
    log = services_of(request).access.audit
    log.add(action, subject, _who(request, grant), **_facts(request, status))


def audit_refusal(request: web.Request, action: str, status: int) -> None:
    """Note a request that was refused; many of them are not as many lines."""
    log = services_of(request).access.audit
    subject = f"{request.method} {shown_path(request)}"
    log.refused(action, subject, _who(request, None), **_facts(request, status))


def audit_end(
    request: web.Request, response: web.StreamResponse | None, error: BaseException | None
) -> None:
    """Note what became of a request that the gate let pass, if it is one that is noted."""
    status = _ABORTED
    if isinstance(error, (PenstockError, web.HTTPException)):
        status = error.status
    elif isinstance(error, Exception) and not isinstance(error, ConnectionError):
        status = 500
    elif response is not None and CUT not in request:
        status = response.status
    if status == 403:
        audit_refusal(request, "access.denied", status)
    elif (action := action_of(request, response)) is not None:
        audit_soon(request, action, subject_of(request, response), status=status)
