"""Which addresses are public: the IANA special-purpose registries, and no back doors."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

# RFC 6052 §2.1: a gateway sends what comes here on to the IPv4 address in the last four bytes.
_NAT64 = IPv6Network("64:ff9b::/96")
# Every global address of IPv6 is from this block so far (RFC 4291 §2.4, IANA).
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# What some versions of the standard library take for public. 6to4 and Teredo, whose addresses
# lead to the IPv4 address within, are obsolete (RFC 7526): no server of today is behind them.
_SPECIAL = tuple(
    ip_network(block)
    for block in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
    )
)


def parse_address(text: str) -> Address | None:
    """An address as :func:`socket.getaddrinfo` writes it; ``None`` if it is none."""
    try:
        return unwrapped(ip_address(text))
    except ValueError:
        return None


def unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv4-mapped or NAT64 one leads to; others as they are."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Whether anybody's server may be there: global unicast, and nothing special."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in block for block in _SPECIAL)
    )
