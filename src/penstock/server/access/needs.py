"""What each route asks of who calls it."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from penstock.access import Grant, Scope
from penstock.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Needs:
    """What a request has to have."""

    scope: Scope | None = None
    """``None``: any grant will do."""
    whole: bool = False
    """A token that is bound to a folder will not do."""
    is_open: bool = False
    """Anybody may ask; the handler itself looks who it is, if it matters."""
    is_page: bool = False
    """A browser that may not see it is shown the login."""
    creates: bool = False
    """Also for who may only put files where there are none."""

    def check(self, grant: Grant) -> None:
        """Let pass a grant that will do.

        :raises Forbidden: it is not good for this.
        """
        if grant.creates_only and not self.creates:
            raise Forbidden("this is good for sending new files, and for nothing else")
        if self.scope is not None:
            grant.check_scope(self.scope, whole=self.whole)


OPEN: Final = Needs(is_open=True)
ANY: Final = Needs()
READ: Final = Needs(Scope.READ)
WRITE: Final = Needs(Scope.WRITE)
CREATE: Final = Needs(Scope.WRITE, creates=True)
ARCHIVE: Final = Needs(Scope.ARCHIVE)
ADMIN: Final = Needs(Scope.ADMIN, whole=True)
WATCH: Final = Needs(Scope.READ, whole=True)
"""What tells of the whole server."""
PAGE: Final = Needs(is_page=True)
READ_PAGE: Final = Needs(Scope.READ, is_page=True)
WATCH_PAGE: Final = Needs(Scope.READ, whole=True, is_page=True)
ADMIN_PAGE: Final = Needs(Scope.ADMIN, whole=True, is_page=True)

NEEDS: Final = web.AppKey("needs", dict[tuple[str, str], Needs])
"""By method and canonical path. What is in no line of it is refused to who has no grant."""


def needs_of(request: web.Request, method: str | None = None) -> Needs:
    """What the route of ``request`` asks, or with another ``method``; where there is none, any
    grant."""
    resource = request.match_info.route.resource
    if resource is None:
        return ANY
    method = method or request.method
    method = "GET" if method == "HEAD" else method
    return request.app[NEEDS].get((method, resource.canonical), ANY)
