"""Share links: what somebody without a token may fetch from a server, or put there."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self
from urllib.parse import quote

from penstock.client.answers import JsonObject, rfc3339, understood
from penstock.client.background import time_of
from penstock.client.http import Http, json_of

_SHARES: Final = "/v1/shares"
_PLAIN: Final = (
    "id",
    "url",
    "kind",
    "title",
    "most",
    "count",
    "has_password",
    "maker",
    "prefix",
    "most_bytes",
)


class ByServer:
    """As the server has it set."""


BY_SERVER: Final = ByServer()


@dataclass(frozen=True, slots=True)
class ShareInfo:
    """One share link.

    ``kind`` is ``download`` or ``upload``. It was used ``count`` times, of ``most`` downloads or
    files if there is a limit. ``keys`` and ``prefixes`` are what it gives; ``prefix`` is the folder
    that files are put into, each of at most ``most_bytes`` bytes.
    """

    id: str
    url: str
    kind: str
    title: str
    created: datetime
    expires: datetime | None
    most: int | None
    count: int
    has_password: bool
    maker: str
    keys: Sequence[str] = ()
    prefixes: Sequence[str] = ()
    prefix: str | None = None
    most_bytes: int | None = None

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the Share object of the API."""
        members: dict[str, Any] = {name: document.get(name) for name in _PLAIN}
        return cls(
            **members,
            created=datetime.fromisoformat(document["created"]),
            expires=time_of(document["expires"]),
            keys=tuple(document.get("keys", ())),
            prefixes=tuple(document.get("prefixes", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """The Share object of the API."""
        document = {
            **{name: getattr(self, name) for name in _PLAIN},
            "created": rfc3339(self.created),
            "expires": self.expires and rfc3339(self.expires),
        }
        if self.kind == "upload":
            return document
        del document["prefix"], document["most_bytes"]
        return document | {"keys": list(self.keys), "prefixes": list(self.prefixes)}


class Shares:
    """The share links of one server; :attr:`penstock.client.Client.shares` is one."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def download(
        self,
        keys: Sequence[str] = (),
        prefixes: Sequence[str] = (),
        *,
        name: str | None = None,
        expires_in: float | ByServer | None = BY_SERVER,
        most: int | None = None,
        password: str | None = None,
    ) -> ShareInfo:
        """Make a link to fetch something by: one key alone is that file, anything else is a ZIP of
        all of it, as it is when it is fetched.

        It is good for ``expires_in`` seconds (``None``: until it is removed) and ``most``
        downloads. ``name`` is what the file is saved as.

        :raises NotFound: it is not there.
        :raises Forbidden: the token is not good for it.
        """
        wish = {"keys": list(keys), "prefixes": list(prefixes), "name": name}
        return await self._make("download", wish, expires_in, most, password)

    async def upload(
        self,
        prefix: str,
        *,
        title: str | None = None,
        expires_in: float | ByServer | None = BY_SERVER,
        most: int | None = None,
        most_bytes: int | None = None,
        password: str | None = None,
    ) -> ShareInfo:
        """Make a link to put at most ``most`` files by, into the folder ``prefix``; whoever has it
        sees and replaces nothing. ``title`` says what is asked for.

        :raises Forbidden: the token is not good for it.
        """
        wish = {"prefix": prefix, "title": title, "most_bytes": most_bytes}
        return await self._make("upload", wish, expires_in, most, password)

    async def list(self) -> AsyncGenerator[ShareInfo, None]:
        """Those that have not ended, the newest first: all, or only those of this token."""
        after: str | None = ""
        while after is not None:
            query = [("after", after)] if after else []
            _, body = await self._http.call("GET", self._http.url(_SHARES, query))
            found, after = understood(_page, json_of(body))
            for share in found:
                yield share

    async def remove(self, identity: str) -> None:
        """End a share: its link leads nowhere any more.

        :raises NotFound: there is none of that id.
        """
        await self._http.call("DELETE", self._http.url(f"{_SHARES}/{quote(identity, safe='')}"))

    async def _make(
        self,
        kind: str,
        wish: Mapping[str, object],
        expires_in: float | ByServer | None,
        most: int | None,
        password: str | None,
    ) -> ShareInfo:
        wish = {"kind": kind, **wish, "most": most, "password": password}
        told = {field: value for field, value in wish.items() if value is not None}
        if not isinstance(expires_in, ByServer):
            told["expires_in"] = expires_in
        # One try: a second one would leave a link behind that nobody knows of.
        _, body = await self._http.ask("POST", self._http.url(_SHARES), json=told)
        return understood(ShareInfo.from_json, json_of(body))


def _page(document: JsonObject) -> tuple[Sequence[ShareInfo], str | None]:
    return [ShareInfo.from_json(one) for one in document["shares"]], document["next"]
