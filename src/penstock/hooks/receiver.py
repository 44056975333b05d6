"""Who is told, and the secret that proves who tells it (Standard Webhooks 1.0.0)."""

import base64
import binascii
import hmac
from dataclasses import dataclass, field

from yarl import URL

from penstock.errors import BadRequest

_PREFIX = "whsec_"
_SIZES = range(24, 65)
_MAKE_ONE = 'make one with: echo "whsec_$(head -c 32 /dev/urandom | base64)"'


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where events are posted, and the key that they are signed with."""

    url: URL = field(repr=False)
    key: bytes = field(repr=False)

    @classmethod
    def of(cls, url: str, secret: str) -> "Receiver":
        """Read the two settings.

        :raises BadRequest: the URL is none, or the secret is missing or malformed.
        """
        return cls(_read_url(url), _read_secret(secret))

    @property
    def origin(self) -> str:
        """The URL without what may be secret in it, for logs."""
        return str(self.url.origin())

    def sign(self, identity: str, timestamp: int, body: str) -> str:
        """``webhook-signature`` of an event that is sent at ``timestamp`` (seconds since 1970)."""
        digest = hmac.digest(self.key, f"{identity}.{timestamp}.{body}".encode(), "sha256")
        return f"v1,{base64.b64encode(digest).decode()}"


def _read_url(text: str) -> URL:
    try:
        url = URL(text)
        usable = url.scheme in ("http", "https") and bool(url.host) and url.port != 0
    except ValueError:
        usable = False
    if not usable:
        # Not shown: people put passwords and tokens into such URLs.
        raise BadRequest("PENSTOCK_HOOKS_URL must be a URL such as https://host/path")
    return url.with_fragment(None)


def _read_secret(text: str) -> bytes:
    if not text:
        raise BadRequest(
            f"PENSTOCK_HOOKS_URL is set, so PENSTOCK_HOOKS_SECRET is needed; {_MAKE_ONE}"
        )
    encoded = text.removeprefix(_PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if encoded == text or len(key) not in _SIZES:
        raise BadRequest(
            "PENSTOCK_HOOKS_SECRET must be whsec_ and then 24 to 64 bytes in base64; " + _MAKE_ONE
        )
    return key
