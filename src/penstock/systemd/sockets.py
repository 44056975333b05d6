"""Sockets that were opened before the process began (sd_listen_fds(3))."""

import os
import socket

from penstock.errors import BadRequest
from penstock.systemd.parent import place

FIRST = 3
"""The descriptor of the first of them (SD_LISTEN_FDS_START)."""

_VARIABLES = ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")


def handed_sockets() -> list[socket.socket]:
    """The listening sockets that were handed to this process; none if it is to open its own.

    They are handed out once, and no process that this one starts takes them for its own.

    :raises BadRequest: what was handed over is no listening stream socket.
    """
    given = {name: os.environ.pop(name, "") for name in _VARIABLES}
    is_child = place() is not None
    meant = is_child or given["LISTEN_PID"] == str(os.getpid())
    if not meant or not given["LISTEN_FDS"].isdecimal():
        return []
    descriptors = range(FIRST, FIRST + int(given["LISTEN_FDS"]))
    return [_socket(descriptor, may_not_listen=is_child) for descriptor in descriptors]


def _socket(descriptor: int, *, may_not_listen: bool) -> socket.socket:
    """``may_not_listen``: it is bound, and who serves is to listen."""
    try:
        os.set_inheritable(descriptor, False)
        found = socket.socket(fileno=descriptor)
        listens = may_not_listen or found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError:
        listens = 0
    if not listens or found.type != socket.SOCK_STREAM:
        raise BadRequest(
            f"descriptor {descriptor} of LISTEN_FDS is no socket that listens: the unit needs "
            "ListenStream= and no Accept=yes"
        )
    found.setblocking(False)
    return found
