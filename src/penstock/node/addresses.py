"""Where a locator is, and where a node can be reached."""

import asyncio
from ipaddress import ip_address
from urllib.parse import urlsplit

from penstock.cluster import node_address
from penstock.errors import BadRequest
from penstock.node.options import Options


def check_addresses(options: Options) -> None:
    """Refuse what is no address.

    :raises BadRequest: it is a locator's, or the one to be advertised.
    """
    for locator in options.locators:
        locator_url(locator)
    advertised(options.advertise)


def locator_url(text: str) -> str:
    """The URL of a locator, without a slash at its end; ``http://`` may be left out.

    :raises BadRequest: it is none.
    """
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        good = False
    if not good or not parts.hostname or parts.username is not None:
        raise BadRequest(f"{text!r} is not a locator's address, such as http://10.0.0.1:8080")
    if parts.query or parts.fragment:
        raise BadRequest(f"the locator {text!r} must end after the path")
    return url.rstrip("/")


def advertised(text: str) -> str:
    """An address that others may be told: ``host:port``, or the URL of one, or empty.

    :raises BadRequest: it is none.
    """
    try:
        return node_address(text) if text else ""
    except ValueError:
        raise BadRequest(
            f"{text!r} is not an address to advertise, such as node1:8201 or http://node1:8201"
        ) from None


def is_any(host: str) -> bool:
    """Whether who listens on ``host`` listens on all addresses."""
    try:
        return not host or ip_address(host).is_unspecified
    except ValueError:
        return False


def joined(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def local_host(url: str) -> str:
    """The address of this host on the way to ``url``; nothing is sent.

    :raises OSError: there is no way.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=(parts.hostname or "", port)
    )
    try:
        host: str = transport.get_extra_info("sockname")[0]
        return host
    finally:
        transport.close()
