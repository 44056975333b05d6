"""``/v1/files/{key}``: the upstream's files, from the cache or while they come."""

from urllib.parse import urlencode

from aiohttp import web

from penstock.relay.context import RELAY
from penstock.relay.deciding import Found
from penstock.relay.freshness import Wish
from penstock.relay.passing import pass_through
from penstock.server.sending import answer, carry_out, planned
from penstock.server.serving import serving_of
from penstock.server.urls import FILES, content_disposition, key_below, url_of

_NO = ("", "0", "false")
_FOLLOW = ("follow", "offset")

_FOLLOW_SECONDS = 330.0
"""Silence of an upload that is followed: the upstream is to end it first (``follow_timeout``)."""


async def get_file(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD /v1/files/{key}``."""
    key, relay = key_below(request, FILES), request.app[RELAY]
    content = request.method != "HEAD"
    traffic = serving_of(request).traffic
    if request.query.get("follow", "0") not in _NO[1:]:
        with traffic.following():
            # It is not complete yet, so there is nothing to be kept.
            query = {name: request.query[name] for name in _FOLLOW if name in request.query}
            path = f"{url_of(key)}?{urlencode(query)}"
            return await pass_through(request, relay.upstream, path, silence=_FOLLOW_SECONDS)
    with traffic:
        wish = Wish.of(request.headers)
        async with relay.cache.find(url_of(key), wish, content=content) as found:
            if found.held is not None:
                what, headers = found.told.representation(), _fields(request, key, found)
                return await answer(request, what, headers, found.held.send)
            if not content and found.told.size is not None and not found.chosen_by:
                plan = planned(request, found.told.representation())
                return await carry_out(request, plan, _fields(request, key, found))
        path, how = url_of(key), found.how
        return await pass_through(request, relay.upstream, path, how, more=found.chosen_by)


def _fields(request: web.Request, key: str, found: Found) -> dict[str, str]:
    fields = found.told.fields() | {"Cache-Status": f"penstock-relay; {found.how}"}
    if found.age is not None:
        fields["Age"] = str(found.age)
    if request.query.get("download", "") not in _NO:
        fields["Content-Disposition"] = content_disposition("attachment", key.rpartition("/")[2])
    return fields
