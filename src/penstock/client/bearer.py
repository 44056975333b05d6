"""The token that a client shows to its server (RFC 6750 §2.1)."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII)


def bearer_of(server: str, token: str | None) -> Mapping[str, str]:
    """The header fields that show it; none without a token. It is not told in errors.

    :raises ValueError: it is no token, or the address names a user already.
    """
    if token is None:
        return {}
    if _TOKEN.fullmatch(token) is None:
        raise ValueError("a token has letters, digits and any of -._~+/ only")
    if urlsplit(server).username is not None:
        raise ValueError("the address names a user already; leave that, or the token, out")
    return {"Authorization": f"Bearer {token}"}
