"""Interim responses ``104 Upload Resumption Supported`` (IETF draft of resumable uploads).

Some clients take any 1xx but 100 for the final response, so they go only to clients that name a
version of the draft, and carry that version.
"""

import asyncio

from aiohttp import HttpVersion11, web

from penstock.server.draft.fields import Draft
from penstock.uploads import Session

_EVERY = 2.0
"""Seconds between two that tell the progress."""

_WORTH_SAVING = 1 << 20
"""Bytes for which the disk is made to wait, so that they can be told."""


class Interim:
    """What the client of one request is told before the final response."""

    def __init__(self, request: web.Request, draft: Draft) -> None:
        self._request = request
        self._draft = draft
        # HTTP/1.0 has no interim responses (RFC 9110 §15.2).
        self._understood = draft.announced and request.version >= HttpVersion11
        self._told = 0
        self._asked_at = asyncio.get_running_loop().time()

    async def created(self, location: str, limits: dict[str, str]) -> None:
        """Tell where the upload is, so that the client can go on if this request breaks off."""
        if self._understood:
            await self._send({"Location": location, **limits})

    async def progress(self, session: Session) -> None:
        """Tell now and then how many bytes need never be sent again: those that are durable."""
        now = asyncio.get_running_loop().time()
        if not self._understood or now - self._asked_at < _EVERY:
            return
        self._asked_at = now
        if session.offset - session.durable >= _WORTH_SAVING:
            await session.checkpoint()
        if session.durable > self._told and not self._is_behind():
            self._told = session.durable
            await self._send({"Upload-Offset": str(session.durable)})

    def _is_behind(self) -> bool:
        """Whether the client does not read what it is told: its upload must not wait for that."""
        transport = self._request.transport
        return transport is None or transport.get_write_buffer_size() > 0

    async def _send(self, fields: dict[str, str]) -> None:
        fields = {"Upload-Draft-Interop-Version": str(self._draft.version), **fields}
        lines = [f"{name}: {value}" for name, value in fields.items()]
        head = "\r\n".join(["HTTP/1.1 104 Upload Resumption Supported", *lines, "", ""])
        await self._request.writer.write(head.encode("ascii"))
        # It is not part of the response that will be counted.
        self._request.writer.output_size = 0
