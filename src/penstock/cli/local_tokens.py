"""Tokens on the server's own host, without asking the server: by its catalog."""

import getpass
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from penstock.access import Grant, Scope

if TYPE_CHECKING:
    from penstock.access.access import Access
    from penstock.access.tokens import Token
    from penstock.client import TokenInfo
    from penstock.settings import Settings

ACTOR = "console"
"""How the audit log names whoever may write the catalog."""


class LocalTokens:
    """As :class:`penstock.client.Tokens`, for who may write the catalog."""

    def __init__(self, access: "Access") -> None:
        self._access = access
        self._grant = Grant(ACTOR, _user(), frozenset({Scope.ADMIN}))

    async def list(self) -> "Sequence[TokenInfo]":
        """Every token, also those that have expired."""
        return [_info(token) for token in await self._access.tokens.all()]

    async def add(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        prefix: str = "",
        expires_in: float | None = None,
        request_rate: float | None = None,
        byte_rate: int | None = None,
    ) -> "tuple[TokenInfo, str]":
        """Make a token; answers it and its text.

        :raises BadRequest: no such token can be.
        """
        from penstock.access.tokens import Wish

        wish = Wish(name, scopes, prefix, expires_in, request_rate, byte_rate)
        token, text = await self._access.tokens.add(wish, ACTOR)
        await self._access.audit.note("token.add", token.id, self._grant, status=201)
        return _info(token), text

    async def remove(self, identity: str) -> None:
        """End a token: every process of the server knows within two seconds.

        :raises NotFound: there is no such token.
        """
        await self._access.remove_token(identity)
        await self._access.audit.note("token.remove", identity, self._grant)


def local_tokens(settings: "Settings") -> AbstractAsyncContextManager[LocalTokens]:
    """The tokens of the catalog that the settings name.

    :raises NotFound: when it is entered: there is none yet.
    """
    from penstock.wiring import access_of_catalog

    return _of(access_of_catalog(settings))


@asynccontextmanager
async def _of(opened: "AbstractAsyncContextManager[Access]") -> AsyncIterator[LocalTokens]:
    async with opened as access:
        yield LocalTokens(access)


def _info(token: "Token") -> "TokenInfo":
    from penstock.client import TokenInfo

    return TokenInfo(
        id=token.id,
        name=token.name,
        scopes=[scope for scope in Scope if scope in token.scopes],
        prefix=token.prefix,
        created=datetime.fromtimestamp(token.created, UTC),
        expires=_time(token.expires),
        used=_time(token.used),
        request_rate=token.request_rate,
        byte_rate=token.byte_rate,
        maker=token.maker,
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user that has no name
        return ""
