"""Origins of web pages (RFC 6454), as settings name them."""

from typing import Final
from urllib.parse import urlsplit

ANY: Final = "*"


def origins_of(text: str) -> frozenset[str]:
    """The origins in a list with commas, as browsers write them; ``*`` stands for any.

    :raises ValueError: one is none; the text says what to write.
    """
    names = [name.strip() for name in text.split(",")]
    return frozenset(_origin(name) for name in names if name)


def _origin(name: str) -> str:
    if name == ANY:
        return name
    try:
        parts = urlsplit(name)
        port = parts.port
    except ValueError:
        raise _not_one(name) from None
    host = (parts.hostname or "").lower()
    beyond = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not host or not host.isascii() or beyond:
        raise _not_one(name)
    if "*" in host:
        raise ValueError(f"{name!r} has a * in it: name each origin, or write * for any")
    host = f"[{host}]" if ":" in host else host
    is_usual = port in (None, {"http": 80, "https": 443}[parts.scheme])
    return f"{parts.scheme}://{host}" + ("" if is_usual else f":{port}")


def _not_one(name: str) -> ValueError:
    return ValueError(
        f"{name!r} is no origin: write scheme and host, such as https://app.example.com, and the "
        "port if it is not the usual one"
    )
