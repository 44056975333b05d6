"""What somebody wants pulled: a URL, the key it shall have here, and how."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.errors import BadRequest, TooLarge
from penstock.octets.content_types import given_type
from penstock.remote import check_request, redacted
from penstock.stores.interface import ALWAYS, Condition
from penstock.stores.keys import check_key

_FIELDS = {"url", "key", "headers", "content_type", "sha256", "overwrite"}
_SHA256 = re.compile("[0-9A-Fa-f]{64}", re.ASCII)
_LONGEST = 16 << 10


@dataclass(frozen=True, slots=True)
class Wish:
    """``headers`` go with every request for ``url``. Without ``content_type`` the source's is
    taken. ``sha256`` (32 bytes) is held against what comes. Without ``overwrite`` nothing that
    stands at ``key`` is replaced.

    Neither URL nor headers are in its ``repr``: they may hold secrets.
    """

    url: str = field(repr=False)
    key: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    content_type: str | None = None
    sha256: bytes | None = None
    overwrite: bool = True

    @classmethod
    def from_json(cls, text: str | bytes) -> "Wish":
        """Read ``{"url": "…", "key": "…", …}``.

        :raises BadRequest: it is something else, or the URL or a header cannot be.
        :raises BadKey: no file can have that key.
        :raises TooLarge: URL and headers are longer than those of a request may be.
        """
        try:
            spec = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the body is not JSON: {error}") from None
        if not isinstance(spec, dict) or not {"url", "key"} <= spec.keys() <= _FIELDS:
            raise BadRequest(f'send a JSON object with "url" and "key", of {sorted(_FIELDS)}')
        wish = cls.from_spec(spec)
        check_key(wish.key)
        check_request(wish.url, wish.headers)
        # Thousands may wait, and a page of them is read at once.
        if len(json.dumps(wish.to_spec())) > _LONGEST:
            raise TooLarge(f"a pull may have {_LONGEST:,} bytes of URL, headers and the like")
        return wish

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> "Wish":
        """What :meth:`to_spec` made of it.

        :raises BadRequest: a field is not of its type.
        """
        return cls(
            url=_text(spec, "url") or "",
            key=_text(spec, "key") or "",
            headers=_headers(spec.get("headers")),
            content_type=_content_type(_text(spec, "content_type")),
            sha256=_sha256(_text(spec, "sha256")),
            overwrite=_overwrite(spec.get("overwrite", True)),
        )

    def to_spec(self) -> dict[str, Any]:
        """As it is kept with the job."""
        return {
            "url": self.url,
            "key": self.key,
            "headers": dict(self.headers),
            "content_type": self.content_type,
            "sha256": None if self.sha256 is None else self.sha256.hex(),
            "overwrite": self.overwrite,
        }

    @property
    def digest(self) -> str:
        """The same for the same wish, and tells nothing of it."""
        return hashlib.sha256(json.dumps(self.to_spec(), sort_keys=True).encode()).hexdigest()

    @property
    def fulfilled(self) -> "Wish":
        """What is kept of it when it is done: nothing that gives access to the source."""
        return replace(self, url=redacted(self.url), headers={})

    @property
    def condition(self) -> Condition:
        """What must hold of the file that stands at the key."""
        return ALWAYS if self.overwrite else Condition(absent=True)


def _text(spec: Mapping[str, Any], name: str) -> str | None:
    value = spec.get(name)
    if value is None:
        return None
    if not _is_text(value):
        raise BadRequest(f'"{name}" must be a string of Unicode characters')
    return str(value)


def _headers(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(map(_is_text, value.values())):
        raise BadRequest('"headers" is an object of strings')
    return dict(value)


def _is_text(value: object) -> bool:
    """Whether it is a string, without half of a surrogate pair."""
    return isinstance(value, str) and not any(0xD800 <= ord(one) <= 0xDFFF for one in value)


def _content_type(value: str | None) -> str | None:
    if value is not None and given_type(value) is None:
        raise BadRequest('"content_type" is a media type such as video/mp4')
    return value


def _sha256(digits: str | None) -> bytes | None:
    if digits is None:
        return None
    if _SHA256.fullmatch(digits) is None:
        raise BadRequest('"sha256" has 64 hexadecimal digits')
    return bytes.fromhex(digits)


def _overwrite(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadRequest('"overwrite" is true or false')
    return value
