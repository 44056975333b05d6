"""Who comes with a link: which share it is, and whether the password was told."""

import logging
from collections import Counter

from aiohttp import web

from penstock.access.shares import Share
from penstock.errors import LoginNeeded, TooManyAttempts
from penstock.logs import note
from penstock.server.access.credentials import basic_of
from penstock.server.access.guessing import Guessing
from penstock.server.public import is_secure
from penstock.server.services import services_of
from penstock.server.shares.share_json import path_of

COOKIE = "penstock_share"
_MOST_AT_ONCE = 32
"""Tries for one share that are looked at together: a browser or a program with several connections
sends the password with each, but nobody may try a thousand before the first is found wrong."""
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Share", charset="UTF-8"'}


class Doors:
    """Guessing passwords is made slow for each address, and for each share."""

    def __init__(self) -> None:
        self._of_address = Guessing()
        self._of_share = Guessing()
        self._under_way: Counter[str] = Counter()

    async def try_password(self, request: web.Request, share: Share, password: str) -> bool:
        """Whether it is the password of the share.

        :raises TooManyAttempts: too many wrong ones came from this address, or for this share.
        """
        address = request.remote or ""
        await self._of_address.wait(address)
        await self._of_share.wait(share.id)
        if await self._is_right(request, share, password):
            self._of_address.was_right(address)
            self._of_share.was_right(share.id)
            return True
        self._of_address.was_wrong(address)
        self._of_share.was_wrong(share.id)
        note("wrong password of a share", level=logging.WARNING, share=share.id, remote=address)
        return False

    async def _is_right(self, request: web.Request, share: Share, password: str) -> bool:
        if self._under_way[share.id] >= _MOST_AT_ONCE:
            raise TooManyAttempts(
                "too many passwords are tried for this link at once; try again", retry_after=1
            )
        self._under_way[share.id] += 1
        try:
            return await services_of(request).shares.is_right(share, password)
        finally:
            self._under_way[share.id] -= 1
            if not self._under_way[share.id]:
                del self._under_way[share.id]


DOORS = web.AppKey("doors", Doors)


def prepare_doors(app: web.Application) -> None:
    """Let nobody guess in ``app`` fast."""
    app[DOORS] = Doors()


async def share_of(request: web.Request) -> Share:
    """The share whose link was asked for.

    :raises NotFound: there was never such a link.
    :raises ShareGone: it has ended.
    """
    return await services_of(request).shares.find(request.match_info["link"])


async def knows_password(request: web.Request, share: Share) -> bool:
    """Whether the request shows, in a cookie or by HTTP Basic, that it may use the share.

    :raises TooManyAttempts: too many wrong passwords came before.
    """
    if share.password is None:
        return True
    proof = request.cookies.get(COOKIE)
    if proof is not None and await services_of(request).shares.is_proof(share, proof):
        return True
    basic = basic_of(request.headers.get("Authorization", ""))
    return basic is not None and await request.app[DOORS].try_password(
        request, share, basic.password
    )


async def check_password(request: web.Request, share: Share) -> None:
    """Let pass who knows the password of the share, if it has one.

    :raises LoginNeeded: who asks does not.
    :raises TooManyAttempts: too many wrong ones came before.
    """
    if not await knows_password(request, share):
        raise LoginNeeded(
            "this link has a password: send it by HTTP Basic, with any name", headers=_CHALLENGE
        )


async def remember(request: web.Request, response: web.StreamResponse, share: Share) -> None:
    """Have the browser show from now on that the password was told."""
    response.set_cookie(
        COOKIE,
        await services_of(request).shares.proof(share),
        path=path_of(request.match_info["link"]),
        httponly=True,
        # Strict would ask again whoever follows the link out of a mail on the web.
        samesite="Lax",
        secure=is_secure(request),
    )
