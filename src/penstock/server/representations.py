"""Which representation of a stored file is sent: as it is, or in a content coding (RFC 9110 §12).

Each coding has an entity tag of its own. Ranges are of the file as it is only, so no range can
ever be joined with coded bytes.
"""

from contextlib import closing
from dataclasses import replace

from aiohttp import web

from penstock.downloads import Representation, named_first
from penstock.errors import BadKey, KeyConflict, NotFound, ServerUnavailable, SourceChanged
from penstock.octets.codings import IDENTITY, SUFFIXES, coded_tag, worth_coding
from penstock.octets.digests import digest_field
from penstock.octets.encoders import codings
from penstock.octets.ranges import Span
from penstock.server.coding import NO_RANGES, VARY, Coded, accepted_by, answer_coded
from penstock.server.content import Content, open_content
from penstock.server.part_digest import part_digest
from penstock.server.sending import carry_out, planned
from penstock.server.services import cpu_of, services_of


async def answer_best(
    request: web.Request, content: Content, what: Representation, headers: dict[str, str]
) -> web.StreamResponse:
    """Answer a GET or HEAD for a file with what suits the client best.

    Raises as :func:`penstock.server.sending.answer` does.
    """
    settings = services_of(request).settings
    info = content.info
    made_before = settings.precompressed and not info.key.endswith(tuple(SUFFIXES.values()))
    made_now = settings.compress and worth_coding(info.key, what.content_type, info.size)
    if made_before or made_now:
        headers |= VARY
        if "Range" not in request.headers:
            response = None
            if made_before:
                response = await _answer_sibling(request, content, what, headers)
            if response is None and made_now:
                response = await _answer_made(request, content, what, headers)
            if response is not None:
                return response
    plan = planned(request, what)
    fields = headers | await part_digest(request, content, plan)
    return await carry_out(request, plan, fields, content.send)


async def _answer_made(
    request: web.Request, content: Content, what: Representation, headers: dict[str, str]
) -> web.StreamResponse | None:
    """Answer with the file in a coding that is made now, if one suits and helps."""
    coding = _liked(request, what, codings())[0]
    if coding == IDENTITY:
        return None
    assert what.etag is not None
    plan = planned(request, replace(what, etag=coded_tag(what.etag, coding), sha256=None))
    if plan.status == 304:
        return await carry_out(request, plan, headers | NO_RANGES)
    whole = Coded(content, Span(0, what.size), coding, cpu_of(request))
    return await answer_coded(request, whole, plan, headers | _digest(what))


async def _answer_sibling(
    request: web.Request, content: Content, what: Representation, headers: dict[str, str]
) -> web.StreamResponse | None:
    """Answer with a file beside this one that holds it in a coding, if one suits.

    One that is older than the file may hold what the file was before.
    """
    services = services_of(request)
    for coding in _liked(request, what, tuple(SUFFIXES)):
        if coding == IDENTITY:
            return None
        try:
            sibling = await open_content(services, content.info.key + SUFFIXES[coding])
        except (NotFound, BadKey, KeyConflict, ServerUnavailable, SourceChanged):
            continue  # the file itself will do
        with closing(sibling):
            if sibling.info.modified_ns < content.info.modified_ns:
                continue
            assert what.etag is not None
            tag = coded_tag(what.etag, coding, sibling.info.etag)
            coded = replace(what, etag=tag, size=sibling.info.size, sha256=None)
            plan = planned(request, coded)
            fields = headers | NO_RANGES
            if plan.status != 304:
                fields |= _digest(what) | {"Content-Encoding": coding}
            return await carry_out(request, plan, fields, sibling.send)
    return None


def _liked(request: web.Request, what: Representation, offered: tuple[str, ...]) -> list[str]:
    assert what.etag is not None
    return named_first(request.headers, what.etag, accepted_by(request, offered))


def _digest(what: Representation) -> dict[str, str]:
    """``Repr-Digest`` would be of the coded bytes, which nobody knows; this one is of the file."""
    return {} if what.sha256 is None else {"Unencoded-Digest": digest_field(what.sha256)}
