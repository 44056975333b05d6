"""AWS Signature Version 4 for S3, in the ``Authorization`` header.

The body is not hashed into the signature (``UNSIGNED-PAYLOAD``): its integrity is the matter of
the checksum fields, which are signed.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

UNSIGNED: Final = "UNSIGNED-PAYLOAD"

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_SIGNED: Final = frozenset({"host", "content-md5", "content-type"})


class Credentials(NamedTuple):
    """Keys that sign; ``token`` goes with those that are valid for a while (STS, roles)."""

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key!r}, …)"


def encoded(text: str, safe: str = "") -> str:
    """URI-encoded as S3 canonicalises: every byte but ``A-Za-z0-9-._~``."""
    return quote(text, safe=f"{safe}-._~")


def query_string(parameters: Iterable[tuple[str, str]]) -> str:
    """The canonical query string, which is also the one that is sent."""
    pairs = sorted((encoded(name), encoded(value)) for name, value in parameters)
    return "&".join(f"{name}={value}" for name, value in pairs)


def signed(
    credentials: Credentials,
    region: str,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    now: datetime,
    *,
    payload: str = UNSIGNED,
) -> dict[str, str]:
    """``headers``, ``Host`` among them, and those that sign the request.

    ``path`` and ``query`` are encoded already. ``now`` is UTC; servers allow it some minutes.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    fields = {**headers, "x-amz-date": stamp, "x-amz-content-sha256": payload}
    if credentials.token:
        fields["x-amz-security-token"] = credentials.token
    lowered = {name.lower(): " ".join(value.split()) for name, value in fields.items()}
    names = sorted(name for name in lowered if name in _SIGNED or name.startswith("x-amz-"))
    listed = ";".join(names)
    canonical = "\n".join(
        [method, path, query, *(f"{name}:{lowered[name]}" for name in names), "", listed, payload]
    )
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = _signing_key(credentials.secret_key, stamp[:8], region)
    signature = _hmac(key, f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}").hex()
    fields["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={listed}, Signature={signature}"
    )
    return fields


@lru_cache(maxsize=8)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
