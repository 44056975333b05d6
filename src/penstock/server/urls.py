"""Keys and file names in URLs, headers and JSON."""

from datetime import UTC, datetime
from urllib.parse import quote, unquote_to_bytes

from aiohttp import web

from penstock.downloads import etag_field
from penstock.errors import BadKey
from penstock.octets.dispositions import content_disposition as content_disposition
from penstock.server.access.granted import grant_of
from penstock.server.media import content_type_of
from penstock.stores.interface import FileInfo
from penstock.stores.keys import check_key

FILES = "/v1/files/"
UPLOADS = "/v1/uploads"


def key_of(request: web.Request) -> str:
    """The key in the path of ``/v1/files/{key}``.

    :raises BadKey: it cannot name a file.
    :raises Forbidden: it is outside of the folder that the request is bound to.
    """
    return grant_of(request).check_key(key_below(request, FILES))


def key_below(request: web.Request, prefix: str) -> str:
    """The key that the path has behind ``prefix``; percent-encoded octets are UTF-8.

    :raises BadKey: it cannot name a file.
    """
    octets = unquote_to_bytes(request.rel_url.raw_path.removeprefix(prefix))
    try:
        return check_key(octets.decode())
    except UnicodeDecodeError:
        raise BadKey("the key in the URL is not UTF-8; percent-encode it as UTF-8") from None


def url_of(key: str) -> str:
    """The path under which a file is served."""
    return FILES + quote(key, safe="/~")


def upload_path(identity: str) -> str:
    """The path of an upload."""
    return f"{UPLOADS}/{identity}"


def file_json(info: FileInfo) -> dict[str, object]:
    """A file as it stands in JSON answers."""
    return {
        "key": info.key,
        "size": info.size,
        "sha256": info.sha256.hex() if info.sha256 is not None else None,
        "crc32": f"{info.crc32:08x}" if info.crc32 is not None else None,
        "etag": etag_field(info.etag),
        "modified": rfc3339(info.modified_ns / 1e9),
        "content_type": content_type_of(info),
        "url": url_of(info.key),
    }


def origin_of(request: web.Request) -> str:
    """Where the server is for who asks, as far as a proxy tells its scheme."""
    proto = request.headers.get("X-Forwarded-Proto", "").lower()
    scheme = proto if proto in ("http", "https") else request.scheme
    return f"{scheme}://{request.host}"


def time_json(seconds: float | None) -> str | None:
    """As :func:`rfc3339`, of a time that may not have come yet."""
    return None if seconds is None else rfc3339(seconds)


def rfc3339(seconds: float) -> str:
    """A time in UTC with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:26] + "Z"
