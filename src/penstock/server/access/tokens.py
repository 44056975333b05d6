"""``/v1/tokens``: make, list and remove tokens."""

import json
from typing import Any

from aiohttp import web

from penstock.access import Scope
from penstock.access.tokens import Token, Wish
from penstock.errors import BadRequest
from penstock.server.access.auditing import audit
from penstock.server.access.granted import grant_of
from penstock.server.json_body import json_body
from penstock.server.services import services_of
from penstock.server.urls import rfc3339, time_json

_MOST_BODY = 16 << 10
_NO_STORE = {"Cache-Control": "no-store"}
_FIELDS = {"name", "scopes", "prefix", "expires_in", "request_rate", "byte_rate"}


async def list_tokens(request: web.Request) -> web.Response:
    """``GET /v1/tokens``: all of them, the newest first, also those that have expired."""
    found = await services_of(request).access.tokens.all()
    return web.json_response({"tokens": [token_json(token) for token in found]}, headers=_NO_STORE)


async def add_token(request: web.Request) -> web.Response:
    """``POST /v1/tokens``: make one. Its text is in the answer, and never again.

    :raises BadRequest: it cannot be made like this.
    """
    wish = _wish(await _document(request))
    token, text = await services_of(request).access.tokens.add(wish, grant_of(request).actor)
    await audit(request, "token.add", _told(token), status=201)
    headers = _NO_STORE | {"Location": f"/v1/tokens/{token.id}"}
    return web.json_response(token_json(token) | {"token": text}, status=201, headers=headers)


async def remove_token(request: web.Request) -> web.Response:
    """``DELETE /v1/tokens/{id}``: it, its logins and its share links are good for nothing then.

    :raises NotFound: there is none.
    """
    identity = request.match_info["id"]
    await services_of(request).access.remove_token(identity)
    await audit(request, "token.remove", identity, status=204)
    return web.Response(status=204)


def token_json(token: Token) -> dict[str, object]:
    """A token as it stands in JSON answers, without its text."""
    return {
        "id": token.id,
        "name": token.name,
        "scopes": [scope for scope in Scope if scope in token.scopes],
        "prefix": token.prefix,
        "created": rfc3339(token.created),
        "expires": time_json(token.expires),
        "used": time_json(token.used),
        "request_rate": token.request_rate,
        "byte_rate": token.byte_rate,
        "maker": token.maker,
    }


def _told(token: Token) -> str:
    """What the audit log says of a new one."""
    scopes = " ".join(scope for scope in Scope if scope in token.scopes)
    where = f" below {token.prefix}" if token.prefix else ""
    return f"{token.id} {token.name}: {scopes}{where}"


async def _document(request: web.Request) -> dict[str, Any]:
    try:
        document = json.loads(await json_body(request, _MOST_BODY, "what is wanted"))
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON") from None
    if not isinstance(document, dict):
        raise BadRequest("the body must be a JSON object")
    if unknown := sorted(document.keys() - _FIELDS):
        raise BadRequest(f"there is no field {unknown[0]!r} here; there are {_listed()}")
    return document


def _listed() -> str:
    return ", ".join(sorted(_FIELDS))


def _wish(document: dict[str, Any]) -> Wish:
    scopes = document.get("scopes")
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise BadRequest("scopes must be a list of texts")
    byte_rate = _number(document, "byte_rate")
    if byte_rate is not None and not byte_rate.is_integer():
        raise BadRequest("byte_rate must be a whole number of bytes per second")
    return Wish(
        name=_text(document, "name"),
        scopes=frozenset(scopes),
        prefix=_text(document, "prefix"),
        lifetime=_number(document, "expires_in"),
        request_rate=_number(document, "request_rate"),
        byte_rate=None if byte_rate is None else int(byte_rate),
    )


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRequest(f"{name} must be a text")
    return value


def _number(document: dict[str, Any], name: str) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequest(f"{name} must be a number")
    try:
        return float(value)
    except OverflowError:
        raise BadRequest(f"{name} is too large") from None
