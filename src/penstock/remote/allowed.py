"""The operator's list of what may be reached although it is not public."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from yarl import URL

from penstock.errors import BadRequest
from penstock.remote.addresses import Address

Network = IPv4Network | IPv6Network

# Letters, digits and hyphens, and a last label that is no number: "10.0.1" is a typing error.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*(?!\d+$)(?!0x[0-9a-f]*$){_LABEL}")


@dataclass(frozen=True, slots=True)
class Allowed:
    """Host names, lower case and without a dot at the end, and networks."""

    names: frozenset[str]
    networks: tuple[Network, ...]

    @classmethod
    def parse(cls, text: str) -> "Allowed":
        """Read entries with commas between them; empty ones do not count.

        :raises BadRequest: an entry is no host name, address or network; the text says which.
        """
        names, networks = set(), []
        for entry in filter(None, map(str.strip, text.split(","))):
            network = _network(entry)
            if network is None:
                names.add(_name(entry))
            else:
                networks.append(network)
        return cls(frozenset(names), tuple(networks))

    def has_name(self, host: str) -> bool:
        """Whether a URL's host is named, letter case and a dot at the end apart."""
        return host.rstrip(".").lower() in self.names

    def has_address(self, address: Address) -> bool:
        """Whether an address lies in one of the networks."""
        return any(address in network for network in self.networks)


def _network(entry: str) -> Network | None:
    """An address is a network of one; ``None`` if the entry is neither."""
    try:
        network = ip_network(entry, strict=False)
    except ValueError:
        return None
    if "/" in entry and network.network_address != ip_address(entry.partition("/")[0]):
        raise BadRequest(f"{entry!r} is not a network; did you mean {network}?")
    return network


def _name(entry: str) -> str:
    """The name as it stands in a request (IDNA, RFC 5891)."""
    try:
        host = URL.build(scheme="http", host=entry.rstrip(".")).raw_host or ""
    except ValueError:
        host = ""
    if len(host) > 253 or _HOST.fullmatch(host.lower()) is None:
        raise BadRequest(
            f"{entry!r} is neither a host name, nor an address such as 10.0.0.7, "
            "nor a network such as 10.0.0.0/8"
        )
    return host.lower()
