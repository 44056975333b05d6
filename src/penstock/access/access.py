"""Who may do what, in one place: what the server asks."""

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import sha256

from penstock.access.audit import Audit
from penstock.access.grant import Grant
from penstock.access.recent import Recent
from penstock.access.sessions import Sessions
from penstock.access.tokens import MARK, Tokens, digest_of
from penstock.catalog.access import KeyBook, TokenBook

_UPKEEP = 3600.0
"""Seconds between two times that what has expired is removed."""
_USED = 30.0
"""Seconds between two times that it is written down which tokens were used."""
_PAUSE = 5.0
"""Seconds after a failure, such as a catalog that is away."""
_MOST_TEXT = 1024

FindGrant = Callable[[str], Awaitable[Grant | None]]

_log = logging.getLogger("penstock.access")


class Access:
    """Tokens, logins, keys, and the audit log of one installation.

    ``secret`` is what keys are made of; empty: they are random, and kept in the catalog.
    """

    def __init__(
        self,
        tokens: Tokens,
        sessions: Sessions,
        audit: Audit,
        keys: KeyBook,
        book: TokenBook,
        *,
        is_on: bool,
        secret: str = "",
    ) -> None:
        self.tokens = tokens
        self.sessions = sessions
        self.audit = audit
        self.is_on = is_on
        """Whether tokens and logins are asked for; if not, everybody may do everything."""
        self._keys = keys
        self._book = book
        self._secret = secret.encode()
        self._known_keys: dict[str, bytes] = {}
        self._others: dict[str, FindGrant] = {}
        self._recent = Recent()
        self._used: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def key(self, name: str) -> bytes:
        """The 32 bytes that this installation signs things of this kind with."""
        key = self._known_keys.get(name)
        if key is None:
            if self._secret:
                key = hmac.digest(self._secret, name.encode(), sha256)
            else:
                key = await self._keys.get(name)
            self._known_keys[name] = key
        return key

    def recognise(self, mark: str, find: FindGrant) -> None:
        """From now on texts that begin with ``mark`` are tokens that ``find`` knows."""
        self._others[mark] = find

    def is_token(self, text: str) -> bool:
        """Whether the text looks like a token, not like a password."""
        return text.startswith((MARK, *self._others))

    async def grant_of(self, text: str) -> Grant | None:
        """What a token is good for; ``None`` if there is none of this text, or it has expired."""
        if len(text) > _MOST_TEXT:
            return None
        for mark, find in self._others.items():
            if text.startswith(mark):
                return await find(text)
        if not text.startswith(MARK):
            return None
        grant = await self._recent.find(digest_of(text), partial(self._find, text))
        if grant is not None:
            self._used[grant.actor] = time.time()
        return grant

    async def _find(self, text: str) -> Grant | None:
        token = await self.tokens.find(text)
        return None if token is None else token.grant

    async def session_of(self, text: str, mark: bytes, user: str) -> Grant | None:
        """What the login of a cookie is good for, as :meth:`Sessions.find`."""
        if len(text) > _MOST_TEXT:
            return None
        # The mark too: with another password the same text is another login.
        digest = digest_of(f"{text} {mark.hex()}")
        grant = await self._recent.find(digest, lambda: self.sessions.find(text, mark, user))
        if grant is not None:
            self._used[grant.actor] = time.time()
        return grant

    async def log_out(self, text: str, mark: bytes) -> None:
        """End a login, here at once and in other processes within two seconds."""
        await self.sessions.end(text, mark)
        self._recent.forget()

    async def remove_token(self, identity: str) -> None:
        """Remove a token: here it is out at once, in other processes within two seconds.

        :raises NotFound: there is none.
        """
        await self.tokens.remove(identity)
        self._recent.forget()

    def start(self) -> None:
        """Write the audit log, and remove what has expired, until it is closed."""
        if self.is_on and not self._tasks:
            rounds = ((self.audit.run, 0.0), (self._write_used, _USED), (self._sweep, _UPKEEP))
            self._tasks = [asyncio.create_task(_going_on(*each)) for each in rounds]

    async def close(self) -> None:
        """Write what waits to be written."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks:
            self._tasks.clear()
            await _told(self.audit.finish)
            await _told(self._write_used)

    async def _write_used(self) -> None:
        used, self._used = self._used, {}
        times = {
            actor.removeprefix("token:"): at
            for actor, at in used.items()
            if actor.startswith("token:")
        }
        if times:
            await self._book.were_used(times)

    async def _sweep(self) -> None:
        await self.sessions.sweep()
        await self.audit.sweep()


async def _going_on(work: Callable[[], Awaitable[None]], every: float) -> None:
    """Do it again and again; what goes wrong is told, and it is tried again later."""
    while True:
        went_well = await _told(work)
        await asyncio.sleep(every if went_well else max(every, _PAUSE))


async def _told(work: Callable[[], Awaitable[None]]) -> bool:
    """Do it; answers whether that went well. If not, the log says so."""
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - told; nobody waits for it who could be told
        _log.error("%s failed: %s", getattr(work, "__qualname__", "upkeep"), type(error).__name__)
        return False
    return True
