"""What a request for a new share asks for."""

import json
from dataclasses import dataclass
from typing import Final

from penstock.archives import Selection
from penstock.errors import BadRequest
from penstock.stores.keys import check_prefix

DOWNLOAD: Final = "download"
UPLOAD: Final = "upload"

_COMMON = {"kind", "expires_in", "most", "password"}
_SELECTION = {"keys", "prefixes", "name", "compress", "level"}
_REQUEST = {"prefix", "title", "most_bytes"}
_LONGEST = 10**9
"""Seconds: some 30 years. Who wants more says never."""
_MOST = 2**31 - 1
_MOST_BYTES = 2**63 - 1
_MOST_TITLE = 200
_MOST_PASSWORD = 1024


@dataclass(frozen=True, slots=True)
class Wish:
    """A share as somebody asks for it; ``expires_in`` is seconds, ``None`` for never."""

    expires_in: float | None
    most: int | None
    password: str | None
    selection: Selection | None = None
    """What may be fetched; ``None``: files may be put."""
    prefix: str = ""
    title: str = ""
    most_bytes: int | None = None

    @property
    def kind(self) -> str:
        """``download`` or ``upload``."""
        return UPLOAD if self.selection is None else DOWNLOAD

    @property
    def spec(self) -> str:
        """As it is kept."""
        if self.selection is None:
            return json.dumps({"prefix": self.prefix})
        return self.selection.to_json()

    @classmethod
    def from_json(cls, text: bytes, expiry: float) -> "Wish":
        """Read the body of a request; ``expiry`` is for who says nothing of the end.

        :raises BadRequest: it is something else.
        :raises BadKey: a key or prefix that cannot be.
        """
        try:
            spec = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the body is not JSON: {error}") from None
        kind = spec.get("kind", DOWNLOAD) if isinstance(spec, dict) else None
        if kind not in (DOWNLOAD, UPLOAD):
            raise BadRequest('send a JSON object whose "kind" is "download" or "upload"')
        fields = _COMMON | (_SELECTION if kind == DOWNLOAD else _REQUEST)
        if not spec.keys() <= fields:
            raise BadRequest(f'"{kind}" takes some of {sorted(fields)}')
        expires_in = _seconds(spec.get("expires_in", expiry))
        most = _number(spec, "most", _MOST)
        password = _text(spec, "password", _MOST_PASSWORD)
        if kind == DOWNLOAD:
            chosen = {name: spec[name] for name in _SELECTION & spec.keys()}
            _text(spec, "name", _MOST_TITLE)
            return cls(expires_in, most, password, Selection.from_json(json.dumps(chosen)))
        return cls(
            expires_in,
            most,
            password,
            prefix=_folder(_text(spec, "prefix", _MOST_BYTES)),
            title=_text(spec, "title", _MOST_TITLE) or "",
            most_bytes=_number(spec, "most_bytes", _MOST_BYTES),
        )


def _folder(prefix: str | None) -> str:
    """The prefix of a folder, with its last slash; of everything it is empty."""
    folder = (prefix or "").strip("/")
    return check_prefix(f"{folder}/") if folder else ""


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST:
        raise BadRequest('"expires_in" is a number of seconds, or null for never')
    return float(value)


def _number(spec: dict[str, object], name: str, most: int) -> int | None:
    value = spec.get(name)
    if value is not None and (type(value) is not int or not 0 < value <= most):
        raise BadRequest(f'"{name}" is a number of at least 1, or null for no limit')
    return value


def _text(spec: dict[str, object], name: str, longest: int) -> str | None:
    """Text that every catalog and header takes; ``None`` if there is none."""
    value = spec.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > longest:
        raise BadRequest(f'"{name}" is a text of at most {longest:,} letters')
    if any(0xD800 <= ord(letter) <= 0xDFFF for letter in value) or any(c < " " for c in value):
        raise BadRequest(f'"{name}" has letters that are none')
    return value
