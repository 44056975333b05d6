"""Share links: what somebody without a token may fetch, or put, until the link ends.

A link is ``ID.SIGNATURE``. The signature is an HMAC-SHA-256 (RFC 2104) of the id, so that made up
links never reach the catalog, and a link can be shown again without being kept. The rest of what a
share is stands in the catalog under its id.
"""

import base64
import hmac
import json
import re
import secrets
import string
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from penstock.access.grant import Grant, Scope
from penstock.access.patience import in_time
from penstock.access.sealing import Seals
from penstock.catalog.access.shares import ShareRow, SqlShares
from penstock.errors import Forbidden, NotFound, ShareGone, TooLarge

Share: TypeAlias = ShareRow

BEARER: Final = "shr_"
"""How the link of an upload share begins where it is sent as a bearer token (RFC 6750)."""

_SIGNED: Final = 22
"""Letters of a signature: 132 bits."""
_ALPHABET = string.ascii_lowercase + string.digits
_LINK = re.compile(rf"([a-z0-9]{{16}})\.([A-Za-z0-9_-]{{{_SIGNED}}})", re.ASCII)
_ACTOR = "share:"


class Shares:
    """The share links of one installation; ``key`` gives the 32 bytes that they are signed with."""

    def __init__(self, catalog: SqlShares, key: Callable[[], Awaitable[bytes]]) -> None:
        self._catalog = catalog
        self._key = key
        self._seals = Seals()

    async def add(
        self,
        grant: Grant,
        kind: str,
        title: str,
        spec: str,
        *,
        expires_in: float | None,
        most: int | None,
        most_bytes: int | None = None,
        password: str | None = None,
    ) -> Share:
        """Make a share on behalf of ``grant``, good for ``expires_in`` seconds."""
        now = time.time()
        share = Share(
            id="".join(secrets.choice(_ALPHABET) for _ in range(16)),
            kind=kind,
            title=title,
            spec=spec,
            maker=grant.actor,
            prefix=grant.prefix,
            created=now,
            expires=None if expires_in is None else now + expires_in,
            most=most,
            count=0,
            taken=0,
            most_bytes=most_bytes,
            password=None if password is None else await self._seals.seal(password),
        )
        await self._catalog.add(share)
        return share

    async def page(self, grant: Grant, after: tuple[float, str] | None, limit: int) -> list[Share]:
        """The shares that ``grant`` may look after, the newest first: its own, or all if it is good
        for everything."""
        return await self._catalog.page(_whose(grant), after, limit)

    async def remove(self, grant: Grant, identity: str) -> None:
        """End a share that ``grant`` may look after.

        :raises NotFound: there is none of that id.
        """
        if not await self._catalog.remove(identity, _whose(grant)):
            raise NotFound("there is no share of this id")

    async def link(self, share: Share) -> str:
        """What stands in the URL of a share."""
        return f"{share.id}.{await self._signed('share', share.id.encode())}"

    async def find(self, link: str) -> Share:
        """The share of a link.

        :raises NotFound: there was never such a link.
        :raises ShareGone: it has expired, or was removed.
        :raises ServerUnavailable: the catalog does not answer.
        """
        match = _LINK.fullmatch(link)
        if match is None:
            raise _unknown()
        identity, signature = match.groups()
        if not hmac.compare_digest(signature, await self._signed("share", identity.encode())):
            raise _unknown()
        async with in_time():
            share = await self._catalog.get(identity)
        if share is None:
            raise ShareGone("this link has expired or was removed; ask for a new one")
        return share

    async def is_right(self, share: Share, password: str) -> bool:
        """Whether it is the password of a share that has one."""
        assert share.password is not None
        return await self._seals.opens(share.password, password)

    async def proof(self, share: Share) -> str:
        """What shows instead of the password that somebody knew it."""
        assert share.password is not None
        return await self._signed("proof", share.id.encode() + share.password)

    async def is_proof(self, share: Share, text: str) -> bool:
        """Whether it is the proof of a share that has a password."""
        # Octets that are no UTF-8 come as halves of surrogate pairs.
        given = text.encode(errors="surrogatepass")
        return hmac.compare_digest(given, (await self.proof(share)).encode())

    async def bearer(self, share: Share) -> str:
        """The token that files are put with, for who may do so."""
        link = f"{BEARER}{await self.link(share)}"
        return link if share.password is None else f"{link}.{await self.proof(share)}"

    async def grant_of(self, bearer: str) -> Grant | None:
        """What a bearer token of an upload share is good for; ``None`` if for nothing."""
        match = _LINK.match(bearer, len(BEARER))
        if match is None or not bearer.startswith(BEARER):
            return None
        try:
            share = await self.find(match[0])
        except (NotFound, ShareGone):
            return None
        if share.kind != "upload":
            return None
        rest = bearer[match.end() :]
        if share.password is None:
            proven = not rest
        else:
            proven = rest.startswith(".") and await self.is_proof(share, rest[1:])
        if not proven:
            return None
        return Grant(
            f"{_ACTOR}{share.id}",
            share.title,
            frozenset({Scope.WRITE}),
            folder_of(share),
            creates_only=True,
            expires=share.expires,
        )

    async def count(self, share: Share) -> None:
        """Count a download that begins.

        :raises ShareGone: none is left.
        """
        if not await self._catalog.count(share.id):
            raise _used_up()

    async def take(self, share: Share, amount: int, size: int) -> None:
        """Count ``amount`` bytes of a download that goes on; all of it are ``size``.

        :raises ShareGone: more was fetched so than the downloads that were begun can explain.
        """
        # Who may fetch it as often as he likes costs the catalog nothing.
        if share.most is not None and not await self._catalog.take(share.id, amount, size):
            raise _used_up()

    async def place(self, identity: str, length: int) -> None:
        """Count a file of ``length`` bytes that is about to be put.

        :raises TooLarge: it is larger than the share takes.
        :raises Forbidden: the share has all the files that it takes.
        :raises ShareGone: it has ended.
        """
        if await self._catalog.place(identity, length):
            return
        share = await self._catalog.get(identity)
        if share is None:
            raise ShareGone("this link has expired or was removed; ask for a new one")
        if share.most_bytes is not None and length > share.most_bytes:
            raise TooLarge(f"files of up to {share.most_bytes:,} bytes are taken here")
        raise Forbidden("as many files as were asked for have been put here; no more are taken")

    async def give_back(self, identity: str, length: int) -> None:
        """Count a file no more, of which nothing was stored."""
        await self._catalog.give_back(identity, length)

    async def _signed(self, purpose: str, octets: bytes) -> str:
        digest = hmac.digest(await self._key(), f"{purpose}:".encode() + octets, "sha256")
        return base64.urlsafe_b64encode(digest).decode()[:_SIGNED]


def folder_of(share: Share) -> str:
    """The folder that files are put into."""
    return str(json.loads(share.spec)["prefix"])


def share_id_of(grant: Grant) -> str | None:
    """The share that a grant comes from, if it does."""
    return grant.actor.removeprefix(_ACTOR) if grant.actor.startswith(_ACTOR) else None


def _whose(grant: Grant) -> str | None:
    """Whose shares it may look after; ``None``: everybody's."""
    everything = grant.allows(Scope.ADMIN) and not grant.prefix
    return None if everything else grant.actor


def _unknown() -> NotFound:
    return NotFound("there is no such link; look whether all of it was copied")


def _used_up() -> ShareGone:
    return ShareGone("this link was used as often as it may be; ask for a new one")
