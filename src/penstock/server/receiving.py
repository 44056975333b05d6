"""Taking in request bodies: never spooled, bounded in size, and given up when they stall."""

import asyncio
from collections.abc import AsyncGenerator

from aiohttp import web

from penstock.errors import (
    BadRequest,
    BodyIncomplete,
    ExpectationFailed,
    Forbidden,
    Stalled,
    TooLarge,
    UnsupportedMediaType,
)
from penstock.octets.digests import parse_digest_field
from penstock.server.access.cors import accepts_elsewhere
from penstock.server.context import RECEIVED
from penstock.server.pacing import pace_of
from penstock.server.services import services_of
from penstock.server.serving import serving_of

MOST_SMALL = 16 << 20
"""Bytes of a body that is read into memory, such as a selection."""

_DIGEST_FIELDS = ("Content-Digest", "Repr-Digest")


async def expect_later(request: web.Request) -> None:
    """Hold ``100 Continue`` back until a handler wants the body (RFC 9110 §10.1.1)."""


def check_origin(request: web.Request) -> None:
    """Refuse changes that a page of another web site asks for, unless its origin is let in.

    Browsers send forms anywhere without asking, so any page could write to a server on loopback.
    They say where the request comes from, in ``Sec-Fetch-Site`` (Fetch Metadata) or at least in
    ``Origin`` (RFC 6454 §7); other clients send neither.

    :raises Forbidden: it comes from another site's page.
    """
    if request.method in ("GET", "HEAD"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    same_host = origin is None or origin.partition("://")[2] == request.host
    is_own = same_host if site is None else site in ("same-origin", "none")
    if not is_own and not accepts_elsewhere(request):
        raise Forbidden("changes are accepted from this server's own pages only")


def check_expectation(request: web.Request) -> None:
    """Refuse what cannot be expected here.

    :raises ExpectationFailed: anything but ``100-continue``.
    """
    if request.headers.get("Expect", "100-continue").lower() != "100-continue":
        raise ExpectationFailed("the only expectation understood is 100-continue")


def check_body(request: web.Request) -> dict[str, bytes]:
    """Refuse what can be refused before the body; answers the SHA-256 that the fields announce.

    :raises TooLarge: Content-Length is over the limit.
    :raises UnsupportedMediaType: the body has a content coding.
    :raises BadRequest: Content-Range, or a malformed digest field.
    """
    most = int(services_of(request).settings.max_body)
    if (request.content_length or 0) > most:
        raise _too_large(most)
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType(
            "send the bytes as they are, without Content-Encoding",
            headers={"Accept-Encoding": "identity"},
        )
    if "Content-Range" in request.headers:
        raise BadRequest("a part of a file cannot be replaced; send the whole file")
    announced = {}
    for name in _DIGEST_FIELDS:
        if name in request.headers:
            digest = parse_digest_field(name, ", ".join(request.headers.getall(name)))
            if digest is not None:
                announced[name] = digest
    return announced


async def body_of(
    request: web.Request, *, most: int | None = None, fate: str = "nothing was stored"
) -> AsyncGenerator[bytes, None]:
    """The body as it arrives, at most ``most`` bytes (the server's limit unless given).

    ``fate`` is what the client is told of the bytes that came, if the others do not come.

    :raises TooLarge: it is longer.
    :raises Stalled: nothing came for the server's stall timeout.
    :raises BodyIncomplete: the client broke off.
    """
    serving = serving_of(request)
    stall_timeout, traffic = serving.settings.stall_timeout, serving.traffic
    most = int(services_of(request).settings.max_body) if most is None else most
    pace = pace_of(request)
    stretch = -1 if pace is None else pace.stretch
    await _continue(request)
    received = 0
    try:
        while data := await _next(request, stretch, stall_timeout, fate):
            received += len(data)
            traffic.received += len(data)
            if received > most:
                raise _too_large(most)
            yield data
            if pace is not None:
                await pace.keep(len(data))
    finally:
        request[RECEIVED] = received


async def _next(request: web.Request, most: int, stall_timeout: float, fate: str) -> bytes:
    """What has come, at least a byte; at most ``most`` bytes unless that is -1."""
    try:
        async with asyncio.timeout(stall_timeout):
            content = request.content
            return await (content.readany() if most < 0 else content.read(most))
    except TimeoutError:
        raise Stalled(f"no byte came for {stall_timeout:g} seconds; {fate}") from None
    except web.RequestPayloadError as error:
        raise BodyIncomplete(f"the body ended early: {error}; {fate}") from None


async def small_body(request: web.Request, most: int) -> bytes:
    """The whole of a body that is read into memory, such as JSON."""
    if (request.content_length or 0) > most:
        raise _too_large(most)
    return b"".join([data async for data in body_of(request, most=most)])


async def _continue(request: web.Request) -> None:
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # It is not part of the response that will be counted.
        request.writer.output_size = 0


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"the body is over the limit of {most:,} bytes")
