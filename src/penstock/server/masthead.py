"""The masthead, the same on all pages: where one can go, and who is logged in."""

from html import escape
from typing import Final, NamedTuple

from aiohttp import web

from penstock.access import ANYONE, Grant
from penstock.server.access.granted import GRANT
from penstock.server.access.needs import ADMIN, ANY, ARCHIVE, WATCH, Needs, needs_of
from penstock.server.services import services_of


class _Link(NamedTuple):
    page: str
    path: str
    label: str
    needs: Needs
    """Who has less is not shown it, since the page could show them nothing."""


_LINKS: Final = (
    _Link("index.html", "/", "Files", ANY),
    _Link("dashboard.html", "/dashboard", "Jobs", ARCHIVE),
    _Link("nodes.html", "/nodes", "Nodes", WATCH),
    _Link("monitor.html", "/monitor", "Monitor", WATCH),
    _Link("access.html", "/access", "Access", ADMIN),
    _Link("docs.html", "/docs", "API", ANY),
)


def masthead_texts(request: web.Request, page: str) -> dict[str, str]:
    """What stands in ``masthead.html`` for who asks for ``page``, as HTML.

    On pages that anybody may see, as the login and what is shared, there is the name of the
    product only.
    """
    grant = request.get(GRANT)
    if grant is None or needs_of(request).is_open:
        return {"site": "", "user": "", "grant": ""}
    return {"site": _site(request, grant, page), "user": _user(grant), "grant": _grant(grant)}


def _site(request: web.Request, grant: Grant, page: str) -> str:
    clustered = services_of(request).cluster is not None
    links = [
        _anchor(link, link.page == page)
        for link in _LINKS
        if _allows(grant, link.needs) and (clustered or link.page != "nodes.html")
    ]
    return f'<nav class="site-nav" aria-label="Site">{"".join(links)}</nav>'


def _anchor(link: _Link, is_current: bool) -> str:
    current = ' aria-current="page"' if is_current else ""
    return f'<a href="{link.path}"{current}>{link.label}</a>'


def _allows(grant: Grant, needs: Needs) -> bool:
    if needs.scope is None:
        return True
    return grant.allows(needs.scope) and not (needs.whole and grant.prefix)


def _user(grant: Grant) -> str:
    """Who is logged in, and the way out; nothing where everybody may do everything."""
    if grant.actor == ANYONE.actor:
        return ""
    name = escape(grant.name or grant.actor)
    return (
        f'<div class="user"><span class="user-name" title="Logged in as {name}">'
        f'<span class="sr">Logged in as </span><bdi>{name}</bdi></span>'
        '<form method="post" action="/logout"><button class="button small quiet">Log out'
        "</button></form></div>"
    )


def _grant(grant: Grant) -> str:
    """What the scripts of the pages go by."""
    scopes = " ".join(sorted(grant.scopes))
    return (
        f' data-actor="{escape(grant.actor)}" data-scopes="{scopes}"'
        f' data-prefix="{escape(grant.prefix)}"'
    )
