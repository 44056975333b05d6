"""What is put on the server to look at it, and taken away again."""

import secrets
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from penstock.doctor.through.exchange import Front, refused, told_in
from penstock.errors import LoginNeeded, PenstockError

TUS: Final = {"Tus-Resumable": "1.0.0"}
_GONE: Final = (200, 204, 404, 410)


@dataclass(slots=True)
class Probe:
    """A folder of its own on the server, and the uploads that were begun for it.

    ``is_guarded``: the server asks who comes.
    """

    front: Front
    folder: str
    is_guarded: bool
    paths: list[str] = field(default_factory=list)

    def key(self, name: str) -> str:
        """A key in the folder."""
        return f"{self.folder}{name}"

    async def stored(self, name: str, content: bytes, kind: str) -> str:
        """Store a small file; answers its path."""
        path = f"/v1/files/{quote(self.key(name))}"
        self.paths.append(path)
        answer, body = await self.front.call("PUT", path, {"Content-Type": kind}, content)
        if answer.status not in (200, 201):
            raise refused("a small PUT", answer, body)
        return path

    def creation(self, name: str, length: int) -> dict[str, str]:
        """The fields that a tus upload of this file is begun with."""
        key = b64encode(self.key(name).encode()).decode()
        return {**TUS, "Upload-Length": str(length), "Upload-Metadata": f"filename {key}"}

    async def begun(self, name: str, length: int) -> str:
        """Begin a tus upload; answers its path."""
        answer, body = await self.front.call("POST", "/v1/uploads", self.creation(name, length))
        location = answer.fields.get("Location", "")
        if answer.status != 201 or "/v1/uploads/" not in location:
            raise refused("a new upload", answer, body)
        made = "/v1/uploads/" + location.rpartition("/")[2]
        self.paths += [made, f"/v1/files/{quote(self.key(name))}"]
        return made

    async def clean(self) -> None:
        """Take everything away again; what is gone already is no trouble.

        :raises PenstockError: something is left.
        """
        why = ""
        for path in reversed(self.paths):
            fields = TUS if path.startswith("/v1/uploads/") else {}
            try:
                answer, _ = await self.front.call("DELETE", path, fields)
            except PenstockError as error:
                why = error.detail
            else:
                if answer.status not in _GONE:
                    why = f"DELETE is answered {answer.status}"
        if why:
            raise PenstockError(f"not all of {self.folder} could be removed again: {why}")


@asynccontextmanager
async def probing(front: Front) -> AsyncIterator[Probe]:
    """A probe within the folder that the token is bound to, while the block runs.

    :raises LoginNeeded: the server wants a token, or another one.
    :raises PenstockError: no Penstock answers there; or something of the probe is left.
    """
    answer, body = await front.call("GET", "/v1/session")
    session = told_in(body)
    if answer.status == 401:
        raise LoginNeeded("the server wants a token with the scopes read and write")
    scopes = session.get("scopes")
    if answer.status != 200 or not isinstance(scopes, list):
        raise PenstockError(f"no Penstock of this version answers at {front.url}")
    if not {"read", "write"} <= {*scopes} and "admin" not in scopes:
        raise LoginNeeded("the token has not both of the scopes read and write")
    folder = f"{session.get('prefix') or ''}penstock-doctor-{secrets.token_hex(6)}/"
    probe = Probe(front, folder, session.get("access") is True)
    try:
        yield probe
    except BaseException:
        with suppress(PenstockError):
            await probe.clean()
        raise
    await probe.clean()
