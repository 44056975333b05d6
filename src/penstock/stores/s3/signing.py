"""AWS Signature Version 4 for S3: in the ``Authorization`` header, in the query, or in a form.

The body is not hashed into the signature (``UNSIGNED-PAYLOAD``): its integrity is the matter of
the checksum fields, which are signed.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

UNSIGNED: Final = "UNSIGNED-PAYLOAD"

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_STAMP: Final = "%Y%m%dT%H%M%SZ"
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
    stamp = now.strftime(_STAMP)
    fields = {**headers, "x-amz-date": stamp, "x-amz-content-sha256": payload}
    if credentials.token:
        fields["x-amz-security-token"] = credentials.token
    lowered = {name.lower(): " ".join(value.split()) for name, value in fields.items()}
    names = sorted(name for name in lowered if name in _SIGNED or name.startswith("x-amz-"))
    listed = ";".join(names)
    canonical = "\n".join(
        [method, path, query, *(f"{name}:{lowered[name]}" for name in names), "", listed, payload]
    )
    fields["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{_scope(stamp, region)}, "
        f"SignedHeaders={listed}, Signature={_signature(credentials, region, canonical, stamp)}"
    )
    return fields


def presigned(
    credentials: Credentials,
    region: str,
    method: str,
    host: str,
    path: str,
    parameters: Iterable[tuple[str, str]],
    now: datetime,
    expires: int,
) -> str:
    """The query string that lets anybody send this one request within ``expires`` seconds.

    Of its header only ``Host`` is signed. ``path`` is encoded already.
    """
    stamp = now.strftime(_STAMP)
    query = [
        *parameters,
        ("X-Amz-Algorithm", _ALGORITHM),
        ("X-Amz-Credential", f"{credentials.access_key}/{_scope(stamp, region)}"),
        ("X-Amz-Date", stamp),
        ("X-Amz-Expires", str(expires)),
        ("X-Amz-SignedHeaders", "host"),
    ]
    if credentials.token:
        query.append(("X-Amz-Security-Token", credentials.token))
    text = query_string(query)
    canonical = "\n".join([method, path, text, f"host:{host}", "", "host", UNSIGNED])
    return f"{text}&X-Amz-Signature={_signature(credentials, region, canonical, stamp)}"


def signed_form(
    credentials: Credentials,
    region: str,
    fields: Mapping[str, str],
    conditions: Sequence[object],
    now: datetime,
    expires: int,
) -> dict[str, str]:
    """The fields of a form that anybody may post to the bucket within ``expires`` seconds.

    ``fields`` must be sent as they are; ``conditions`` are further ones of the policy.
    """
    stamp = now.strftime(_STAMP)
    signed_fields = {
        **fields,
        "x-amz-algorithm": _ALGORITHM,
        "x-amz-credential": f"{credentials.access_key}/{_scope(stamp, region)}",
        "x-amz-date": stamp,
    }
    if credentials.token:
        signed_fields["x-amz-security-token"] = credentials.token
    until = now + timedelta(seconds=expires)
    policy = {
        "expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "conditions": [*conditions, *({name: value} for name, value in signed_fields.items())],
    }
    text = b64encode(json.dumps(policy).encode()).decode()
    key = _signing_key(credentials.secret_key, stamp[:8], region)
    return {**signed_fields, "policy": text, "x-amz-signature": _hmac(key, text).hex()}


def _signature(credentials: Credentials, region: str, canonical: str, stamp: str) -> str:
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = _signing_key(credentials.secret_key, stamp[:8], region)
    return _hmac(key, f"{_ALGORITHM}\n{stamp}\n{_scope(stamp, region)}\n{digest}").hex()


def _scope(stamp: str, region: str) -> str:
    return f"{stamp[:8]}/{region}/s3/aws4_request"


@lru_cache(maxsize=8)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
