"""The audit log of one server: who did what."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from penstock.client.answers import JsonObject, rfc3339, understood
from penstock.client.http import Http, json_of

_AUDIT = "/v1/audit"


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One thing that was done, or refused.

    ``actor`` is who, such as ``token:ID``, ``login`` or ``share:ID``, and ``name`` their name at
    the time; ``action`` what, such as ``file.put``, ``subject`` what to; ``status`` is that of the
    answer. ``id`` is larger the later it was written.
    """

    id: int
    time: datetime
    actor: str
    name: str
    action: str
    subject: str
    status: int
    remote: str
    request_id: str

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the AuditLine object of the API."""
        return cls(
            id=int(document["id"]),
            time=datetime.fromisoformat(document["time"]),
            status=int(document["status"]),
            **{name: str(document[name]) for name in _TEXTS},
        )

    def to_json(self) -> dict[str, Any]:
        """The AuditLine object of the API."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {**told, "time": rfc3339(self.time)}


_TEXTS = ("actor", "name", "action", "subject", "remote", "request_id")


class Audit:
    """The audit log; :attr:`penstock.client.Client.audit` is one.

    :raises Forbidden: by every method: the token has not the scope ``admin``.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    async def lines(
        self, *, actor: str = "", action: str = "", limit: int | None = None
    ) -> AsyncGenerator[AuditLine, None]:
        """The newest first; of one actor, of one action, at most so many."""
        after, count = "", 0
        while limit is None or count < limit:
            lines, after = await self._page(actor, action, after)
            for line in lines[: None if limit is None else limit - count]:
                count += 1
                yield line
            if not after:
                return

    async def _page(self, actor: str, action: str, after: str) -> tuple[Sequence[AuditLine], str]:
        asked = {"actor": actor, "action": action, "after": after}
        query = [(name, value) for name, value in asked.items() if value]
        _, body = await self._http.call("GET", self._http.url(_AUDIT, query))
        return understood(
            lambda told: (
                [AuditLine.from_json(one) for one in told["lines"]],
                "" if told["next"] is None else str(told["next"]),
            ),
            json_of(body),
        )
