"""The sockets that all workers listen on.

Each worker has sockets of its own on the same port (SO_REUSEPORT, socket(7)): the kernel spreads
connections over them evenly, which one socket for all would not do. They stay open in the
supervisor. What waits in the queue of a worker that dies or leaves is accepted by who comes next.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from penstock.errors import CannotListen

_QUEUE = 1024
_TRIES = 20
"""To find a port that is free on all addresses of a name."""


class Listening:
    """Listening sockets on one host and port, in groups: a group has one for each address."""

    def __init__(self, host: str, port: int, handed: Sequence[socket.socket] = ()) -> None:
        """Nothing is opened yet; ``handed`` are sockets of a service manager, used instead."""
        self._host, self._asked = host, port
        self._port = port
        self._handed = list(handed)
        self._groups: list[list[socket.socket]] = []

    def is_for(self, host: str, port: int) -> bool:
        """Whether these are the sockets that the settings ask for."""
        return bool(self._handed) or (self._host, self._asked) == (host, port)

    @classmethod
    def opened(
        cls, host: str, port: int, count: int, beside: "Listening | None" = None
    ) -> "Listening":
        """So many groups, which listen; ``beside`` may have the same port on another host.

        :raises CannotListen: the port is taken, or the host is not ours.
        """
        made = cls(host, port)
        is_shared = beside is not None and beside._port == port
        with made._none_unless_all():
            made._groups.append(made._first(is_shared=is_shared))
            while len(made._groups) < count:
                made._groups.append(made._group())
        return made

    @property
    def size(self) -> int:
        """How many groups there are."""
        return len(self._groups)

    def grow(self, count: int) -> None:
        """Have so many groups at least. When they have been used there are never fewer again: their
        queues would be lost.

        Who is given new ones has to listen on them: until it does the kernel spreads connections
        over the others, and none waits for who may never come.

        :raises CannotListen: a socket cannot be had.
        """
        if self._handed:
            return
        with self._none_unless_all():
            while len(self._groups) < count:
                self._groups.append(self._group(listens=False))

    def shrink(self, count: int) -> None:
        """Have so many groups at most: the others were for who did not come."""
        for group in self._groups[count:]:
            _close(group)
        del self._groups[count:]

    @contextmanager
    def _none_unless_all(self) -> Iterator[None]:
        before = len(self._groups)
        try:
            yield
        except OSError as error:
            self.shrink(before)
            raise CannotListen(
                f"cannot listen on {self._host} port {self._port}: {error.strerror}; "
                "choose another with --host and --port"
            ) from error

    def of(self, slot: int, workers: int) -> list[socket.socket]:
        """Those of one worker of so many. All workers share what a service manager opened."""
        if self._handed:
            return self._handed
        mine = self._groups[slot::workers]
        return [one for group in mine for one in group]

    @property
    def url(self) -> str:
        """Where users find it."""
        if not self._handed:
            return url_of(self._host, self._port)
        name = self._handed[0].getsockname()
        return f"unix:{name}" if isinstance(name, str) else url_of(*name[:2])

    def close(self) -> None:
        """In this process; workers have their own descriptors."""
        for one in (*self._handed, *(one for group in self._groups for one in group)):
            one.close()
        self._groups.clear()

    def _first(self, *, is_shared: bool) -> list[socket.socket]:
        if self._asked and is_shared:
            return self._group()
        if self._asked:
            # Another server of ours would let us share its port, and have half of our requests.
            _close([_bound(one, self._asked, shared=False) for one in _addresses(self._host)])
            return self._group()
        for number in range(_TRIES):
            try:
                return self._group()
            except OSError:
                if number == _TRIES - 1:
                    raise
                self._port = 0
        raise AssertionError

    def _group(self, *, listens: bool = True) -> list[socket.socket]:
        group: list[socket.socket] = []
        try:
            for address in _addresses(self._host):
                group.append(_bound(address, self._port, shared=True))
                self._port = group[0].getsockname()[1]
            for one in group if listens else ():
                one.listen(_QUEUE)
        except OSError:
            _close(group)
            raise
        return group


def url_of(host: str, port: int) -> str:
    """As people write it."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


_Address = tuple[int, tuple[object, ...]]


def _addresses(host: str) -> list[_Address]:
    """Family and address of each; the port is in the second place."""
    flags = socket.AI_PASSIVE
    found = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=flags)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _bound(address: _Address, port: int, *, shared: bool) -> socket.socket:
    family, (host, _, *rest) = address
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port, *rest))
    except OSError:
        made.close()
        raise
    return made


def _close(sockets: list[socket.socket]) -> None:
    for one in sockets:
        one.close()
