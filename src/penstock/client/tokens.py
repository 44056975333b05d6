"""The tokens of one server, and what the one that is shown is good for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

from penstock.client.answers import JsonObject, rfc3339, understood
from penstock.client.background import time_of
from penstock.client.http import Http, json_of

_TOKENS = "/v1/tokens"


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """One token as the server describes it; its text is told once, when it is made.

    ``prefix`` is a folder with its last slash that it is bound to, or empty. ``request_rate`` is
    requests per second, ``byte_rate`` bytes per second of all its transfers. ``maker`` is who
    made it, as the audit log has them.
    """

    id: str
    name: str
    scopes: Sequence[str]
    prefix: str
    created: datetime
    expires: datetime | None
    used: datetime | None
    request_rate: float | None
    byte_rate: int | None
    maker: str

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the Token object of the API."""
        return cls(
            id=str(document["id"]),
            name=str(document["name"]),
            scopes=[str(scope) for scope in document["scopes"]],
            prefix=str(document["prefix"]),
            created=datetime.fromisoformat(document["created"]),
            expires=time_of(document["expires"]),
            used=time_of(document["used"]),
            request_rate=document["request_rate"],
            byte_rate=document["byte_rate"],
            maker=str(document["maker"]),
        )

    def to_json(self) -> dict[str, Any]:
        """The Token object of the API."""
        return {
            **{name: getattr(self, name) for name in self.__slots__},
            "created": rfc3339(self.created),
            "expires": self.expires and rfc3339(self.expires),
            "used": self.used and rfc3339(self.used),
        }


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """Who asks, and what they may do. Without ``access`` nobody is asked who they are."""

    access: bool
    actor: str
    name: str
    scopes: Sequence[str]
    prefix: str
    expires: datetime | None

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the answer of ``GET /v1/session``."""
        return cls(
            access=bool(document["access"]),
            actor=str(document["actor"]),
            name=str(document["name"]),
            scopes=[str(scope) for scope in document["scopes"]],
            prefix=str(document["prefix"]),
            expires=time_of(document["expires"]),
        )

    def to_json(self) -> dict[str, Any]:
        """The answer of ``GET /v1/session``."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "expires": self.expires and rfc3339(self.expires)}


class Tokens:
    """The tokens of one server; :attr:`penstock.client.Client.tokens` is one.

    :raises LoginNeeded: by every method: the server wants a token, or another one.
    :raises Forbidden: by all but :meth:`session`: that has not the scope ``admin``.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    async def session(self) -> SessionInfo:
        """What the token of this client is good for."""
        _, body = await self._http.call("GET", self._http.url("/v1/session"))
        return understood(SessionInfo.from_json, json_of(body))

    async def list(self) -> Sequence[TokenInfo]:
        """Every token, also those that have expired."""
        _, body = await self._http.call("GET", self._http.url(_TOKENS))
        return understood(
            lambda told: [TokenInfo.from_json(one) for one in told["tokens"]], json_of(body)
        )

    async def add(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        prefix: str = "",
        expires_in: float | None = None,
        request_rate: float | None = None,
        byte_rate: int | None = None,
    ) -> tuple[TokenInfo, str]:
        """Make a token; answers it and its text, which the server tells this once only.

        ``scopes`` are ``read``, ``write``, ``archive`` and ``admin``; ``prefix`` a folder that it
        is bound to. It is good for ``expires_in`` seconds, or until it is removed.

        :raises BadRequest: no such token can be.
        """
        wish = {
            "name": name,
            "scopes": [*scopes],
            "prefix": prefix or None,
            "expires_in": expires_in,
            "request_rate": request_rate,
            "byte_rate": byte_rate,
        }
        # One try: the answer to an earlier one would be lost, with a token that nobody knows.
        _, body = await self._http.ask(
            "POST",
            self._http.url(_TOKENS),
            json={name: value for name, value in wish.items() if value is not None},
        )
        return understood(
            lambda told: (TokenInfo.from_json(told), str(told["token"])), json_of(body)
        )

    async def remove(self, identity: str) -> None:
        """End a token, and every login and share that was made with it.

        :raises NotFound: there is no such token.
        """
        await self._http.call("DELETE", self._http.url(f"{_TOKENS}/{quote(identity, safe='')}"))
