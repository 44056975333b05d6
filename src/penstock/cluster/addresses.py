"""Where nodes are: ``host:port``, or a URL of nothing more."""

import re
from typing import Final

_ADDRESS: Final = re.compile(
    r"(?:https?://)?(?:[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})/?", re.ASCII
)


def node_address(text: str) -> str:
    """The address that ``text`` is, without a slash at its end.

    :raises ValueError: it is none.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match[1]) < 1 << 16:
        raise ValueError("it is not host:port, nor the URL of one")
    return text.removesuffix("/")


def node_url(address: str) -> str:
    """The URL at an address, without a slash at its end."""
    return address.rstrip("/") if "://" in address else f"http://{address}"
