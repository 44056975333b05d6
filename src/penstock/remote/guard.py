"""The doors to other servers: which addresses may be connected to, checked where it counts."""

import socket
from typing import TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from penstock.remote.addresses import is_public, parse_address
from penstock.remote.limits import RemoteLimits
from penstock.remote.lookup import Lookup

# Family, kind, protocol, canonical name and socket address, as of getaddrinfo.
AddressInfo: TypeAlias = tuple[
    int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]
]


class AddressRefused(OSError):
    """A connection to where we must not go, before it is made; the text follows a URL."""


class Door(AbstractResolver):
    """The way to one origin: finds the addresses of its host, and makes every socket to it.

    Both are checked, and the socket is connected to the very address that was: whatever a name
    resolves to the next time, and however an address is written, it passes here.
    """

    def __init__(self, origin: URL, limits: RemoteLimits, lookup: Lookup) -> None:
        self._limits = limits
        self._lookup = lookup
        self._named = limits.allowed.has_name(origin.raw_host or "")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of ``host``: one bad one among them and none is used.

        :raises AddressRefused: it has an address that we must not connect to.
        :raises OSError: it has none at all.
        """
        found = await self._lookup.addresses(host, family)
        for _, address in found:
            self._check(address, port)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=kind,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, address in found
        ]

    def socket(self, info: AddressInfo) -> socket.socket:
        """A socket that is about to be connected to ``info``.

        :raises AddressRefused: it must not be.
        """
        family, kind, protocol, _, (address, port, *_) = info
        self._check(str(address), int(str(port)))
        return socket.socket(family=family, type=kind, proto=protocol)

    async def close(self) -> None:
        """Nothing is held: the look-up is everybody's."""

    def _check(self, text: str, port: int) -> None:
        address = parse_address(text)
        if address is None:
            raise AddressRefused("is not at an address")
        if self._named or self._limits.allowed.has_address(address):
            return
        if not is_public(address):
            raise AddressRefused("is not a public address")
        if port not in self._limits.ports:
            raise AddressRefused(f"is at port {port}, which is not open to remote URLs")
