"""What a request may touch: the rules that hold whichever way it names files."""

from aiohttp import web

from penstock.archives import Selection
from penstock.archives.in_store import Wish
from penstock.downloads import check_write
from penstock.errors import Forbidden
from penstock.server.access.actions import about
from penstock.server.access.granted import grant_of
from penstock.stores.interface import Condition

_NEW = Condition(absent=True)


def selection_within(request: web.Request, selection: Selection) -> Selection:
    """Answers the selection, if all of it is within the folder that the request is bound to.

    :raises Forbidden: some of it is not.
    """
    grant = grant_of(request)
    if grant.prefix:
        for chosen in (selection.keys, selection.prefixes):
            for start in chosen:
                grant.check_key(start)
    return selection


def wish_within(request: web.Request, wish: Wish) -> Wish:
    """Answers the wish for an archive, if what it takes and makes is within that folder.

    :raises Forbidden: it is not.
    """
    grant = grant_of(request)
    about(request, wish.prefix or wish.key)
    grant.check_key(wish.prefix)
    grant.check_key(wish.key)
    return wish


def condition_of(request: web.Request) -> Condition:
    """What must hold of the file that a request replaces or removes.

    :raises BadRequest: its fields are malformed.
    :raises Forbidden: it is to replace one, and the request may only put new ones.
    """
    condition = check_write(request.headers)
    if not grant_of(request).creates_only:
        return condition
    if condition.present or condition.etags:
        raise Forbidden("this is good for sending new files; it replaces none")
    return _NEW
