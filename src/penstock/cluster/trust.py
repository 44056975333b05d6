"""Whom nodes and servers trust: who knows the secret, or where there is none, their own host."""

import hmac
import re
from ipaddress import ip_address

from penstock.errors import BadRequest

_WRITABLE = re.compile(r"[\x21-\x7e]{1,1024}")
_WHAT_TO_DO = (
    "set PENSTOCK_CLUSTER_SECRET to the same long random text for all servers and nodes of the "
    "cluster, or listen on loopback only (--host 127.0.0.1)"
)


def check_secret(secret: str, host: str) -> None:
    """Refuse to listen on ``host`` where anybody could pretend to be a node, or a server.

    :raises BadRequest: there is no secret, and ``host`` is not loopback; or it cannot stand in a
        header field.
    """
    if not secret and not is_loopback(host):
        raise BadRequest(f"on {host or 'all addresses'} the cluster needs a secret: {_WHAT_TO_DO}")
    if secret and _WRITABLE.fullmatch(secret) is None:
        raise BadRequest(
            "PENSTOCK_CLUSTER_SECRET must be of printable ASCII characters without spaces, "
            "1,024 at most"
        )


def knows_secret(authorization: str, secret: str) -> bool:
    """Whether an ``Authorization`` field carries the secret as a bearer token (RFC 6750 §2.1)."""
    scheme, _, token = authorization.partition(" ")
    given = token.strip().encode(errors="surrogateescape")
    same = hmac.compare_digest(given, secret.encode())
    return same and bool(secret) and scheme.lower() == "bearer"


def is_loopback(host: str) -> bool:
    """Whether only this host reaches an address, or comes from it."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
