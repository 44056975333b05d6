"""Names of hosts to addresses, by the system's resolver."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

THREADS = 8


class Lookup:
    """Looks names up in threads of its own, so that slow name servers hold up nothing else.

    Nothing is remembered: each connection looks again.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="penstock-lookup")

    async def addresses(
        self, host: str, family: socket.AddressFamily
    ) -> list[tuple[socket.AddressFamily, str]]:
        """Family and address, in the order in which they should be tried (RFC 6724).

        :raises OSError: there is none.
        """
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, _look_up, host, family
        )
        return [(kind, _written(address)) for kind, _, _, _, address in found]

    def close(self) -> None:
        """Begin nothing more; what is under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


_Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]


def _look_up(host: str, family: socket.AddressFamily) -> list[_Found]:
    found: list[_Found] = socket.getaddrinfo(  # type: ignore[assignment]
        host, None, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return found


def _written(address: tuple[object, ...]) -> str:
    """With the scope that a link-local address of IPv6 needs (RFC 4007 §11)."""
    scope = address[3] if len(address) > 3 else 0
    return f"{address[0]}%{scope}" if scope and "%" not in str(address[0]) else str(address[0])
