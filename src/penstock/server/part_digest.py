"""The digest of one range, for clients that verify each part as it comes (RFC 9530 §2)."""

import hashlib
from contextlib import aclosing
from typing import Final

from aiohttp import web

from penstock.downloads import SendPlan
from penstock.octets.digests import digest_field, wants_sha256
from penstock.octets.ranges import Span
from penstock.server.content import Content
from penstock.server.services import cpu_of

MOST: Final = 16 << 20
"""Bytes of the longest part that is read twice: for its digest, then to be sent."""


async def part_digest(request: web.Request, content: Content, plan: SendPlan) -> dict[str, str]:
    """``Content-Digest`` of the one range that ``plan`` sends, if a GET wants it.

    :raises SourceChanged: the bytes are not there any more.
    """
    if "Want-Content-Digest" not in request.headers or request.method != "GET":
        return {}
    if not wants_sha256(request.headers["Want-Content-Digest"]):
        return {}
    span = plan.pieces[0] if plan.status == 206 and len(plan.pieces) == 1 else None
    if not isinstance(span, Span) or len(span) > MOST:
        return {}
    sha256 = hashlib.sha256()
    blocks = content.each(span.start, span.stop, sha256.update, cpu_of(request))
    async with aclosing(blocks):
        async for _ in blocks:
            pass
    return {"Content-Digest": digest_field(sha256.digest())}
