"""Tokens: made, found, listed, removed."""

import hmac
import re
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from string import ascii_lowercase, digits

from penstock.access.grant import Grant, Scope
from penstock.catalog.access import TokenBook, TokenRow
from penstock.errors import BadRequest, NotFound
from penstock.stores.keys import check_prefix

MARK = "pst_"
"""What the text of every token begins with, so that it can be told from a password."""

FIRST = "first"
"""The name of the token that is made at the first start."""

_TEXT = re.compile(r"pst_([a-z0-9]{12})_[A-Za-z0-9_-]{43}", re.ASCII)
_ID_LETTERS = ascii_lowercase + digits
_ID_LENGTH = 12
_SECRET_BYTES = 32
_MOST_NAME = 200
_MOST_SECONDS = 3_155_760_000.0
"""A hundred years."""
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_MOST_RATE = 1 << 53


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret. Times are seconds since 1970."""

    id: str
    name: str
    scopes: frozenset[Scope]
    prefix: str
    created: float
    expires: float | None
    used: float | None
    request_rate: float | None
    byte_rate: int | None
    maker: str

    @property
    def grant(self) -> Grant:
        """What who has it may do."""
        return Grant(
            actor=actor_of(self.id),
            name=self.name,
            scopes=self.scopes,
            prefix=self.prefix,
            expires=self.expires,
            request_rate=self.request_rate,
            byte_rate=self.byte_rate,
        )


@dataclass(frozen=True, slots=True)
class Wish:
    """What a new token shall be good for; ``lifetime`` is in seconds, ``None``: for ever.

    :raises BadRequest: that cannot be; the text says why.
    """

    name: str
    scopes: Collection[str]
    prefix: str = ""
    lifetime: float | None = None
    request_rate: float | None = None
    byte_rate: int | None = None

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > _MOST_NAME or _UNSEEN.search(self.name):
            raise BadRequest(f"name must be 1 to {_MOST_NAME} characters of text")
        if not self.scopes or not set(self.scopes) <= set(Scope):
            raise BadRequest(f"scopes must be some of {', '.join(Scope)}")
        if self.prefix:
            check_prefix(self.prefix)
            if not self.prefix.endswith("/"):
                raise BadRequest("prefix must be a folder with its last slash, such as photos/")
        if self.lifetime is not None and not 0 < self.lifetime <= _MOST_SECONDS:
            raise BadRequest(f"expires_in must be more than 0 and at most {_MOST_SECONDS:.0f}")
        if self.request_rate is not None and not 0 < self.request_rate <= _MOST_RATE:
            raise BadRequest("request_rate must be more than 0 requests per second")
        if self.byte_rate is not None and not 1 <= self.byte_rate <= _MOST_RATE:
            raise BadRequest("byte_rate must be at least 1 byte per second")


class Tokens:
    """All tokens of the catalog."""

    def __init__(self, book: TokenBook) -> None:
        self._book = book

    async def add(self, wish: Wish, maker: str) -> tuple[Token, str]:
        """Make one; answers it and its text, which nobody can find out again."""
        row, text = _made(wish, maker)
        await self._book.add(row)
        return _token(row), text

    async def add_first(self) -> tuple[Token, str] | None:
        """Make one that is good for everything, unless there is one.

        Of several processes that ask together one has it made; the others get ``None``.
        """
        row, text = _made(Wish(FIRST, [Scope.ADMIN]), "server")
        made = await self._book.add_first(row, Scope.ADMIN)
        return (_token(row), text) if made else None

    async def find(self, text: str) -> Token | None:
        """The one that has this text, if it has not expired."""
        parts = _TEXT.fullmatch(text)
        row = None if parts is None else await self._book.get(parts[1])
        if row is None or not hmac.compare_digest(row.digest, digest_of(text)):
            return None
        return _alive(_token(row))

    async def get(self, identity: str) -> Token | None:
        """The one with this id, if it has not expired."""
        row = await self._book.get(identity)
        return None if row is None else _alive(_token(row))

    async def all(self) -> list[Token]:
        """All of them, also those that have expired; the newest first."""
        return [_token(row) for row in await self._book.all()]

    async def remove(self, identity: str) -> None:
        """Remove one, with its logins and the share links made with it.

        :raises NotFound: there is none.
        """
        if not await self._book.remove(identity, actor_of(identity)):
            raise NotFound("there is no such token; GET /v1/tokens lists them")


def digest_of(text: str) -> bytes:
    """What is kept of a secret text. It is random and long, so a slow hash would guard nothing."""
    return sha256(text.encode(errors="surrogateescape")).digest()


def actor_of(identity: str) -> str:
    """The token as the audit log and the makers of shares have it."""
    return f"token:{identity}"


def _made(wish: Wish, maker: str) -> tuple[TokenRow, str]:
    identity = "".join(secrets.choice(_ID_LETTERS) for _ in range(_ID_LENGTH))
    text = f"{MARK}{identity}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    now = time.time()
    row = TokenRow(
        id=identity,
        digest=digest_of(text),
        name=wish.name,
        scopes=" ".join(scope for scope in Scope if scope in wish.scopes),
        prefix=wish.prefix,
        created=now,
        expires=None if wish.lifetime is None else now + wish.lifetime,
        used=None,
        request_rate=wish.request_rate,
        byte_rate=wish.byte_rate,
        maker=maker,
    )
    return row, text


def _token(row: TokenRow) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scopes=frozenset(map(Scope, row.scopes.split())),
        prefix=row.prefix,
        created=row.created,
        expires=row.expires,
        used=row.used,
        request_rate=row.request_rate,
        byte_rate=row.byte_rate,
        maker=row.maker,
    )


def _alive(token: Token) -> Token | None:
    return token if token.expires is None or token.expires > time.time() else None
