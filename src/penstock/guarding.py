"""From settings to who may do what: what the wiring does about access."""

import logging
import sys
from typing import TYPE_CHECKING, Self

from penstock.access import Access, AccessOptions, open_access
from penstock.catalog import GroupCommit
from penstock.cluster.trust import is_loopback
from penstock.logs import note
from penstock.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine


def access_is_on(settings: Settings) -> bool:
    """Whether tokens and logins are asked for."""
    if settings.access == "auto":
        return not is_loopback(settings.host)
    return settings.access == "on"


def open_access_of(settings: Settings, engine: "Engine", commits: GroupCommit) -> Access:
    """What knows who may do what, as the settings want it."""
    options = AccessOptions(
        is_on=access_is_on(settings),
        session_expiry=settings.session_expiry,
        audit_keep=settings.audit_keep,
        secret=settings.secret.get_secret_value(),
    )
    return open_access(engine, commits, options)


def warn_if_open(settings: Settings) -> None:
    """Say so, loudly, where anybody who reaches this server may do everything."""
    if not access_is_on(settings) and not is_loopback(settings.host):
        note("access is off", level=logging.WARNING, host=settings.host)
        _say(
            f"WARNING: access is off, and {settings.host or 'every address'} is no loopback "
            "address: whoever reaches it may read, change and remove every file"
        )


class FirstToken:
    """The token that is made where access is on and nobody has one that is good for everything.

    Of several processes on one catalog, one gets to make and tell it. It is told on standard
    output once, and nowhere else. If it could not be told, it is removed.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._id = ""
        self._text = ""

    async def __aenter__(self) -> Self:
        made = await self._access.tokens.add_first() if self._access.is_on else None
        if made is not None:
            self._id, self._text = made[0].id, made[1]
        return self

    def tell(self) -> None:
        """Once."""
        if self._text:
            note("first token made", id=self._id)
            _say(f"First token, which is good for everything and shown only now: {self._text}")
            self._text = ""

    async def __aexit__(self, *_: object) -> None:
        if self._text:
            await self._access.remove_token(self._id)


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)  # noqa: T201
