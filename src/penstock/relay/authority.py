"""Who may use a relay: those who know its token, or where there is none, those on its host."""

import hmac
import re

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from penstock.cluster.trust import is_loopback
from penstock.errors import BadRequest, LoginNeeded
from penstock.relay.options import Options
from penstock.server.access.credentials import CHALLENGE, basic_of, bearer_of
from penstock.server.context import CLOSING

_WRITABLE = re.compile(r"[\x21-\x7e]{1,1024}")
_OPEN = frozenset({"/livez"})


def check_callers(options: Options) -> None:
    """Refuse to be open to everybody by mistake.

    :raises BadRequest: the relay listens on more than loopback, and there is no token and no word
        that it shall be so; or the token cannot stand in a header field.
    """
    token = options.access_token
    if not token and not options.is_open and not is_loopback(options.host):
        raise BadRequest(
            f"on {options.host or 'all addresses'} anybody could read through the relay: set "
            "PENSTOCK_RELAY_TOKEN to a long random text that callers send as their token, or say "
            "--open, or listen on loopback only (--host 127.0.0.1)"
        )
    if token and _WRITABLE.fullmatch(token) is None:
        raise BadRequest(
            "PENSTOCK_RELAY_TOKEN must be of printable ASCII characters without spaces, "
            "1,024 at most"
        )


def only_callers(token: str) -> Middleware:
    """Refuse requests that do not carry the token, as a bearer token or as the password of HTTP
    Basic; all pass if there is none.

    :raises LoginNeeded: it is missing or wrong.
    """
    wanted = token.encode()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if wanted and request.path not in _OPEN:
            given = _given(request.headers.get("Authorization", ""))
            if not hmac.compare_digest(given.encode(errors="surrogateescape"), wanted):
                if request.can_read_body:
                    request[CLOSING] = True
                raise LoginNeeded("the relay's token is needed, or another one", headers=CHALLENGE)
        return await handler(request)

    return guard


def _given(field: str) -> str:
    basic = basic_of(field)
    return basic.password if basic is not None else bearer_of(field) or ""
