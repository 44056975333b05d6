"""Sockets of this process in the network namespace of another host (setns(2))."""

import ctypes
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

SocketFactory = Callable[[tuple[Any, ...]], socket.socket]


@contextmanager
def sockets_within(namespace: str) -> Iterator[SocketFactory]:
    """What makes sockets there, for a connector of aiohttp; all else stays where it is."""
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    def make(address: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, *_ = address
        _enter(there)
        try:
            return socket.socket(family, kind, protocol)
        finally:
            _enter(here)

    try:
        yield make
    finally:
        os.close(there)
        os.close(here)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
