"""How an S3 store is reached and used, and what becomes of that with the AWS variables."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from penstock.errors import BadRequest
from penstock.stores.keys import check_prefix
from penstock.stores.s3.parts import LEAST_PART, MIB, MOST_PARTS
from penstock.stores.s3.signing import Credentials, encoded

Style = Literal["auto", "path", "virtual"]

_BUCKET: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,62}")
_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")


@dataclass(frozen=True, slots=True)
class S3Options:
    """What the operator chose; what is empty comes from the standard AWS variables and files.

    ``part_size``, ``memory`` are bytes, ``orphan_age`` seconds. ``tries`` counts the first one.
    ``price_put`` and ``price_get`` are dollars for 1,000 requests, ``price_out`` for a GiB.
    ``public_url`` is where the bucket's objects can be read without a signature.
    """

    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    style: Style = "auto"
    anonymous: bool = False
    part_size: int = 8 * MIB
    memory: int = 256 * MIB
    tries: int = 6
    orphan_age: float = 86_400.0
    max_parts: int = MOST_PARTS
    price_put: float = 0.005
    price_get: float = 0.0004
    price_out: float = 0.0
    public_url: str = ""

    @property
    def credentials(self) -> Credentials | None:
        """Those given by name, if they were.

        :raises BadRequest: one of the two is missing.
        """
        if bool(self.access_key) != bool(self.secret_key):
            raise BadRequest("S3_ACCESS_KEY and S3_SECRET_KEY go together; give both or neither")
        return Credentials(self.access_key, self.secret_key) if self.access_key else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the files are: the URL of a key is ``origin + path + encoded key``."""

    bucket: str
    prefix: str
    region: str
    origin: str
    path: str

    @property
    def host(self) -> str:
        return urlsplit(self.origin).netloc

    def path_of(self, name: str) -> str:
        """The encoded path of an object by its full name; of the bucket if that is empty."""
        return self.path + encoded(name, "/")


def place_of(url: str, options: S3Options, profile: Mapping[str, str]) -> Place:
    """The place that ``s3://bucket[/prefix]`` names.

    ``profile`` is the section of the AWS configuration file in use. A prefix is a folder: it
    gets a slash at its end.

    :raises BadRequest: the URL, the endpoint or another option cannot be.
    """
    bucket, prefix = _named(url)
    if not LEAST_PART <= options.part_size <= 1024 * MIB:
        raise BadRequest("S3_PART_SIZE must be from 5MiB to 1GiB")
    if options.memory < options.part_size:
        raise BadRequest("S3_MEMORY must hold one part at least; make it larger than S3_PART_SIZE")
    region = options.region or _first("AWS_REGION", "AWS_DEFAULT_REGION")
    region = region or profile.get("region", "") or "us-east-1"
    endpoint = options.endpoint or _first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    endpoint = endpoint or profile.get("endpoint_url", "")
    virtual = _is_virtual(options.style, bucket, endpoint)
    scheme, netloc, path = _endpoint(endpoint or f"https://s3.{region}.amazonaws.com")
    if virtual:
        return Place(bucket, prefix, region, f"{scheme}://{bucket}.{netloc}", f"{path}/")
    return Place(bucket, prefix, region, f"{scheme}://{netloc}", f"{path}/{bucket}/")


def _named(url: str) -> tuple[str, str]:
    # A prefix is taken as it is written: it may hold "%", "?" and "#".
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise BadRequest(f"{url!r} names no bucket; use s3://bucket or s3://bucket/prefix")
    prefix = prefix.rstrip("/")
    return bucket, check_prefix(f"{prefix}/") if prefix else ""


def _is_virtual(style: Style, bucket: str, endpoint: str) -> bool:
    if style != "auto":
        return style == "virtual"
    # A dot in the bucket's name would be a level that the certificate does not cover.
    return not endpoint and _LABEL.fullmatch(bucket) is not None


def _endpoint(url: str) -> tuple[str, str, str]:
    refused = BadRequest(
        # Without what may be a password in it.
        f"the S3 endpoint {url.rpartition('@')[2]!r} is no http or https URL; "
        "name it as https://host"
    )
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is no number
    except ValueError:
        raise refused from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise refused
    netloc = parts.netloc.rpartition("@")[2].lower()
    default = ":443" if parts.scheme == "https" else ":80"
    return parts.scheme, netloc.removesuffix(default), parts.path.rstrip("/")


def _first(*names: str) -> str:
    return next(filter(None, (os.environ.get(name, "") for name in names)), "")
