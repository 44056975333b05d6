"""Where a request goes: from one address, wherever the servers send us from there."""

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from aiohttp import encode_basic_auth
from multidict import CIMultiDict
from yarl import URL

from penstock import __version__
from penstock.client.problems import shown
from penstock.errors import PenstockError

NO_HEADERS: Mapping[str, str] = MappingProxyType({})

MAX_REDIRECTS = 10
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Moved(Exception):
    """The file is to be asked for at ``location``."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


class Address:
    """``url`` is where to ask now, ``first`` where it began, ``name`` that as it may be told.

    ``headers`` do not leave the origin of ``first``; credentials in it become one of them.
    """

    def __init__(self, first: URL, headers: Mapping[str, str] = NO_HEADERS) -> None:
        self._headers = CIMultiDict({"User-Agent": f"penstock/{__version__}", "Accept": "*/*"})
        self._ours = self._headers.copy()
        self._headers.update(headers)
        if first.user is not None:
            told = encode_basic_auth(first.user, first.password or "")
            self._headers.setdefault("Authorization", told)
        self.first = first.with_user(None)
        self.name = shown(first)
        self.url = self.first
        self._hops = 0

    @property
    def headers(self) -> dict[str, str]:
        """What goes with a request to ``url``."""
        ours = self.url.origin() == self.first.origin()
        headers = (self._headers if ours else self._ours).copy()
        headers["Accept-Encoding"] = "identity"
        return dict(headers)

    def move(self, location: str) -> None:
        """Go on at what ``Location`` names (RFC 9110 §10.2.2).

        :raises PenstockError: it leads in circles, or where we do not go.
        """
        self._hops += 1
        if self._hops > MAX_REDIRECTS:
            self.url, self._hops = self.first, 0
            raise PenstockError(f"{self.name} is redirected more than {MAX_REDIRECTS} times")
        url = _joined(self.url, location)
        if url is None or url.scheme not in ("http", "https") or not url.host:
            raise PenstockError(f"{self.name} is redirected to something that is not on the web")
        if (self.url.scheme, url.scheme) == ("https", "http"):
            raise PenstockError(
                f"{self.name} is redirected from https to http, where anybody could change it"
            )
        self.url = url.with_user(None).with_fragment(None)

    def arrived(self) -> None:
        """The server answered there: what it may redirect later is counted anew."""
        self._hops = 0

    def renew(self) -> bool:
        """Ask from the beginning again, since a link that it led to may have expired.

        Answers whether there is any point.
        """
        before, self.url = self.url, self.first
        return before != self.first


def _joined(base: URL, location: str) -> URL | None:
    """Signed links must stay as they are to the letter; others may lack their escapes."""
    with suppress(UnicodeError):  # bytes of UTF-8 that were read as ISO 8859-1
        location = location.encode("latin-1").decode()
    as_it_is = location.isascii() and location.isprintable() and " " not in location
    try:
        return base.join(URL(location, encoded=as_it_is))
    except ValueError:
        return None
