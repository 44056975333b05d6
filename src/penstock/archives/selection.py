"""A selection: what a ZIP is made of, and how."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from penstock.archives.url_member import UrlMember
from penstock.errors import BadRequest
from penstock.octets.compressible import is_compressed
from penstock.stores.keys import check_key, check_prefix
from penstock.zipstream.deflate import Engine

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_FIELDS = {"keys", "prefixes", "urls", "name", "compress", "level", "on_error"}


class Compress(StrEnum):
    """What is deflated: nothing, what seems worth it, or everything."""

    STORE = "store"
    AUTO = "auto"
    DEFLATE = "deflate"


class OnError(StrEnum):
    """What becomes of a ZIP of which a member cannot be had.

    ``abort``: it is refused, or cut if it was begun. ``report``: the member is left out, and a
    report at the end of the ZIP says so.
    """

    ABORT = "abort"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Selection:
    """Keys in the order named, everything below the prefixes in key order, then the URLs.

    No stored file is in it twice. ``name`` is the file name of the ZIP, if the caller chose one.
    """

    keys: tuple[str, ...]
    prefixes: tuple[str, ...]
    name: str | None = None
    urls: tuple[UrlMember, ...] = ()
    compress: Compress = Compress.STORE
    level: Engine = Engine.FAST
    on_error: OnError = OnError.ABORT

    @classmethod
    def make(
        cls,
        keys: Iterable[str],
        prefixes: Iterable[str],
        name: str | None = None,
        *,
        urls: Iterable[UrlMember] = (),
        compress: str = Compress.STORE,
        level: str = Engine.FAST,
        on_error: str = OnError.ABORT,
    ) -> "Selection":
        """Check and normalise.

        :raises BadKey: a key or prefix that cannot be.
        :raises BadRequest: nothing is selected, or a choice is none of those there are.
        """
        distinct = _outermost(map(check_prefix, prefixes))
        chosen = tuple(
            key
            for key in dict.fromkeys(map(check_key, keys))
            if not any(key.startswith(prefix) for prefix in distinct)
        )
        remote = tuple(urls)
        if any(0xD800 <= ord(character) <= 0xDFFF for character in name or ""):
            raise BadRequest('"name" is not Unicode: it has half of a surrogate pair')
        if not chosen and not distinct and not remote:
            raise BadRequest("nothing is selected; name at least one key, prefix or URL")
        return cls(
            chosen,
            distinct,
            name or None,
            remote,
            _choice("compress", Compress, compress),
            _choice("level", Engine, level),
            _choice("on_error", OnError, on_error),
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> "Selection":
        """Read ``{"keys": […], "prefixes": […], "urls": […], "name": "…", …}``, all optional.

        :raises BadRequest: it is something else.
        """
        try:
            spec = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the body is not JSON: {error}") from None
        if not isinstance(spec, dict) or not spec.keys() <= _FIELDS:
            raise BadRequest(f"send a JSON object with some of {sorted(_FIELDS)}")
        return cls.make(
            _strings(spec, "keys"),
            _strings(spec, "prefixes"),
            _string(spec, "name", None),
            urls=map(UrlMember.from_json, _list(spec, "urls")),
            compress=_string(spec, "compress", Compress.STORE),
            level=_string(spec, "level", Engine.FAST),
            on_error=_string(spec, "on_error", OnError.ABORT),
        )

    def to_json(self) -> str:
        """The text that :meth:`from_json` reads."""
        spec = {
            "keys": self.keys,
            "prefixes": self.prefixes,
            "urls": [url.to_json() for url in self.urls],
            "name": self.name,
            "compress": self.compress,
            "level": self.level,
            "on_error": self.on_error,
        }
        return json.dumps({field: value for field, value in spec.items() if value})

    def deflates(self, name: str, content_type: str | None, size: int | None) -> bool:
        """Whether a member of that name, type and size (bytes, if known) is to be deflated."""
        if size == 0:
            return False
        if self.compress is Compress.AUTO:
            return not is_compressed(name, content_type)
        return self.compress is Compress.DEFLATE

    @property
    def base(self) -> str:
        """The deepest folder that holds everything selected; ends in ``/`` or is empty.

        A prefix ``photos/`` stands for the folder itself, which lies in the one above.
        """
        folders = [item.rstrip("/").rpartition("/")[0] for item in self.keys + self.prefixes]
        common = _common(folder.split("/") for folder in folders) if folders else []
        return "/".join(common) + "/" if common and common != [""] else ""

    @property
    def file_name(self) -> str:
        """The name to save the ZIP under."""
        if self.name:
            return self.name if self.name.lower().endswith(".zip") else f"{self.name}.zip"
        only = self.keys + self.prefixes
        alone = len(only) == 1 and not self.urls
        stem = only[0].rstrip("/").rpartition("/")[2] if alone else ""
        return f"{stem or 'files'}.zip"


def _outermost(prefixes: Iterable[str]) -> tuple[str, ...]:
    """The prefixes that no other one covers, in their order."""
    distinct = list(dict.fromkeys(prefixes))
    return tuple(
        prefix
        for prefix in distinct
        if not any(prefix != other and prefix.startswith(other) for other in distinct)
    )


def _common(paths: Iterable[list[str]]) -> list[str]:
    """The longest common start of segment lists."""
    first, *rest = paths
    for other in rest:
        length = next(
            (at for at, (a, b) in enumerate(zip(first, other, strict=False)) if a != b),
            min(len(first), len(other)),
        )
        first = first[:length]
    return first


def _list(spec: dict[str, object], name: str) -> Sequence[object]:
    value = spec.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f'"{name}" must be a list')
    return value


def _strings(spec: dict[str, object], name: str) -> list[str]:
    values = [value for value in _list(spec, name) if isinstance(value, str)]
    if len(values) != len(_list(spec, name)):
        raise BadRequest(f'"{name}" must be a list of strings')
    return values


def _string(spec: dict[str, object], name: str, default: T) -> str | T:
    value = spec.get(name)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f'"{name}" must be a string')
    return default if value is None else value


def _choice(name: str, choices: type[E], value: str) -> E:
    try:
        return choices(value)
    except ValueError:
        known = ", ".join(choices)
        raise BadRequest(f'"{name}" is {value!r}, which is none of: {known}') from None
