"""Hearing how the workers are: the other end of sd_notify(3)."""

import asyncio
import os
import socket
import struct
from collections.abc import Callable

_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid
_LONGEST = 4096


class Hearing:
    """Calls ``heard`` with the process id of who tells something, and its lines.

    The kernel says who sends, so nobody can speak for a worker.
    """

    def __init__(self, heard: Callable[[int, set[str]], None]) -> None:
        self._heard = heard
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind("")  # a free name without a file
        name: bytes = self._socket.getsockname()
        self.address = f"@{os.fsdecode(name[1:])}"
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _hear(self) -> None:
        space = socket.CMSG_SPACE(_CREDENTIALS.size)
        try:
            data, ancillary, _, _ = self._socket.recvmsg(_LONGEST, space)
        except BlockingIOError:
            return
        for _, kind, sender in ancillary:
            if kind == socket.SCM_CREDENTIALS:
                pid, _, _ = _CREDENTIALS.unpack(sender)
                self._heard(pid, set(data.decode(errors="replace").splitlines()))
