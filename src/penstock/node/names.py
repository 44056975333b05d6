"""What a node calls its files."""

from aiohttp import web

from penstock.errors import BadKey
from penstock.server.urls import key_below
from penstock.stores.keys import check_key

FILES = "/files/"


def name_of(request: web.Request) -> str:
    """The name in the path of ``/files/{name}``.

    :raises BadKey: it is none.
    """
    return check_name(key_below(request, FILES))


def check_name(name: str) -> str:
    """Answer the name if a file can have it: at most 255 bytes, no slash, no dot in front.

    :raises BadKey: it cannot.
    """
    check_key(name)
    if "/" in name:
        raise BadKey("a name has no slashes")
    if name.startswith("."):
        raise BadKey("a name does not begin with a dot")
    return name
