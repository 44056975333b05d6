"""URLs and headers that callers give: what may be asked for, and what may be shown of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from penstock.errors import BadRequest

# Headers that say what is asked for and how it travels are ours.
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OUR_KINDS = ("if-", "proxy-")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")

# Nothing in such a URL needs quoting, so nothing is touched: a signature may cover it.
_QUOTED = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_HOST = re.compile(
    r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?|[0-9A-Fa-f:.]+(?:%25[\w.-]+)?"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes, and the caller's headers that go with it."""

    url: URL
    headers: Mapping[str, str]

    @classmethod
    def of(cls, url: str, headers: Mapping[str, str]) -> "Target":
        """Check what a caller asks for; credentials in the URL become a header.

        :raises BadRequest: it is no ``http`` or ``https`` URL, or a header is not the caller's.
        """
        parsed, fields = _parse(url), check_headers(headers)
        if parsed.raw_user is not None or parsed.raw_password is not None:
            if "authorization" in map(str.lower, fields):
                raise BadRequest("send credentials in the URL or in Authorization, not in both")
            fields["Authorization"] = aiohttp.encode_basic_auth(
                parsed.user or "", parsed.password or ""
            )
        return cls(_bare(parsed), fields)

    def redirected(self, location: str) -> "Target | None":
        """Where ``Location`` leads (RFC 9110 §10.2.2); ``None`` if that is no URL.

        What the caller told one origin is not told to another.
        """
        try:
            url = _bare(self.url.join(_read(location)))
        except ValueError:
            return None
        same = bool(url.raw_host) and url.scheme == self.url.scheme and _origin(url) == self.origin
        return Target(url, self.headers if same else {})

    @property
    def origin(self) -> tuple[str, str, int | None]:
        return _origin(self.url)


def check_request(url: str, headers: Mapping[str, str]) -> None:
    """Refuse what could never be asked for. Where the URL leads is not looked at.

    :raises BadRequest: it is no ``http`` or ``https`` URL, or a header is not the caller's.
    """
    Target.of(url, headers)


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """A copy of the headers that a caller wants sent.

    :raises BadRequest: one cannot be, or is not for the caller to set.
    """
    for name, value in headers.items():
        if _TOKEN.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            raise BadRequest(f"{name!r} with this value is not a header")
        if name.lower() in _OURS or name.lower().startswith(_OUR_KINDS):
            raise BadRequest(f"the header {name} cannot be chosen; leave it out")
    return dict(headers)


def redacted(url: str) -> str:
    """Scheme, host, port and path: what may stand in logs and errors; the rest may be secret."""
    try:
        parsed = _read(url)
        shown = str(_bare(parsed).with_query(None))
    except ValueError:
        return "the URL"
    return shown if parsed.raw_host and shown.isprintable() else "the URL"


def _parse(url: str) -> URL:
    try:
        parsed = _read(url)
    except ValueError:
        raise BadRequest("a remote URL must be one such as https://example.org/file") from None
    if parsed.scheme not in ("http", "https"):
        raise BadRequest("a remote URL must begin with http:// or https://")
    if not is_host(parsed):
        raise BadRequest("a remote URL needs a host's name or address: https://example.org/file")
    return parsed


def is_host(url: URL) -> bool:
    """Whether the URL's host is one that can be looked up."""
    host = url.raw_host or ""
    return len(host) <= 254 and _HOST.fullmatch(host) is not None


def _read(text: str) -> URL:
    """:raises ValueError: it cannot be understood."""
    url = URL(text, encoded=_QUOTED.fullmatch(text) is not None)
    _ = url.port  # looked at only now
    return url


def _bare(url: URL) -> URL:
    """Without credentials and fragment."""
    return url.with_fragment(None).with_user(None) if url.raw_host else url.with_fragment(None)


def _origin(url: URL) -> tuple[str, str, int | None]:
    return url.scheme, (url.raw_host or "").lower(), url.port
