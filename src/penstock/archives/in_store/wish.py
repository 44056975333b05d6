"""What somebody wants archived: a folder, and what shall become of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from penstock.archives.in_store.options import ArchiveOptions
from penstock.errors import BadRequest
from penstock.stores.interface import ALWAYS, Condition
from penstock.stores.keys import check_key, check_prefix

LINKS: Final = ("direct", "presigned", "public")
LONGEST_LINK: Final = 604_800.0
"""Seconds that a presigned link may be good for."""

_FIELDS = {"prefix", "key", "overwrite", "tags", "link", "link_expiry"}
_MOST_TAGS = 10
_LONGEST_TAG = 128
_LONGEST_VALUE = 256
_WHOLE = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """``prefix`` is a folder: it ends in a slash, or is empty and means everything. The archive is
    stored at ``key``, and replaces nothing there without ``overwrite``. ``tags`` are put on it
    where the store has tags. ``link`` ("direct", "presigned" or "public") and ``link_expiry``
    (seconds) are how it is linked to. With ``allow_empty`` a folder with nothing in it becomes an
    archive with nothing in it. ``within`` is the folder that whoever asks is bound to, with its
    last slash: archives for which no key was asked go below ``exports`` in there.
    """

    prefix: str
    key: str
    overwrite: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)
    link: str = "direct"
    link_expiry: float = 3600.0
    allow_empty: bool = False
    within: str = ""

    @classmethod
    def of_folder(
        cls,
        folder: str,
        options: ArchiveOptions,
        *,
        key: str | None = None,
        within: str = "",
        **more: Any,
    ) -> "Wish":
        """The wish for a folder, named with or without a slash at its end, or as ``s3://…``.

        :raises BadRequest: the URL is not one of this store.
        :raises BadKey: there can be no such folder, or no such key.
        """
        prefix = _prefix(folder, options.store)
        name = prefix.removeprefix(within).rstrip("/") or _WHOLE
        key = check_key(key or f"{within}{options.exports}{name}.zip")
        chosen = {"link": options.link, "link_expiry": options.link_expiry, **more}
        return cls(prefix=prefix, key=key, within=within, **chosen)

    @classmethod
    def from_json(cls, text: str | bytes, options: ArchiveOptions, *, within: str = "") -> "Wish":
        """Read ``{"prefix": "…", …}``.

        :raises BadRequest: it is something else.
        :raises BadKey: there can be no such folder, or no such key.
        """
        try:
            spec = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadRequest(f"the body is not JSON: {error}") from None
        if not isinstance(spec, dict) or "prefix" not in spec or not spec.keys() <= _FIELDS:
            raise BadRequest(f'send a JSON object with "prefix", of {sorted(_FIELDS)}')
        more: dict[str, object] = {}
        if (overwrite := spec.get("overwrite")) is not None:
            more["overwrite"] = _boolean(overwrite)
        if (tags := spec.get("tags")) is not None:
            more["tags"] = _tags(tags)
        if (link := spec.get("link")) is not None:
            more["link"] = _link(link)
        if (expiry := spec.get("link_expiry")) is not None:
            more["link_expiry"] = _expiry(expiry)
        key = None if spec.get("key") is None else _text(spec, "key")
        return cls.of_folder(_text(spec, "prefix"), options, key=key, within=within, **more)

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> "Wish":
        """What :meth:`to_spec` made of it; other fields may stand beside."""
        return cls(**{one.name: spec[one.name] for one in fields(cls) if one.name in spec})

    def to_spec(self) -> dict[str, Any]:
        """As it is kept with the job."""
        return {
            "prefix": self.prefix,
            "key": self.key,
            "overwrite": self.overwrite,
            "tags": dict(self.tags),
            "link": self.link,
            "link_expiry": self.link_expiry,
            "allow_empty": self.allow_empty,
            **({"within": self.within} if self.within else {}),
        }

    def digest(self, store: str, folder: str) -> str:
        """The same for the same wish of a store, while the folder's own digest is the same. Links
        do not count: they are made when they are asked for."""
        spec = {name: value for name, value in self.to_spec().items() if "link" not in name}
        text = json.dumps([store, spec, folder], sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def condition(self) -> Condition:
        """What must hold of the file that stands at the key."""
        return ALWAYS if self.overwrite else Condition(absent=True)


def _prefix(folder: str, store: str) -> str:
    if "://" in folder:
        home = f"{store.rstrip('/')}/"
        if not f"{folder}/".startswith(home) or not store.startswith("s3://"):
            raise BadRequest(f"{folder!r} is not in the store of this server; name a folder in it")
        folder = folder[len(home) :]
    folder = folder.strip("/")
    return check_prefix(f"{folder}/") if folder else ""


def _text(spec: Mapping[str, Any], name: str) -> str:
    value = spec[name]
    if not _is_text(value):
        raise BadRequest(f'"{name}" must be a string of Unicode characters')
    return str(value)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not any(0xD800 <= ord(one) <= 0xDFFF for one in value)


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadRequest('"overwrite" is true or false')
    return value


def _tags(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(map(_is_text, [*value, *value.values()])):
        raise BadRequest('"tags" is an object of strings of Unicode characters')
    if len(value) > _MOST_TAGS:
        raise BadRequest(f"an archive may have {_MOST_TAGS} tags")
    for name, text in value.items():
        if not 0 < len(name) <= _LONGEST_TAG or len(text) > _LONGEST_VALUE:
            raise BadRequest(
                f"the name of a tag has 1 to {_LONGEST_TAG} characters, its value up to "
                f"{_LONGEST_VALUE}"
            )
    return dict(value)


def _link(value: object) -> str:
    if value not in LINKS:
        raise BadRequest(f'"link" is one of {", ".join(LINKS)}')
    return str(value)


def _expiry(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequest('"link_expiry" is a number of seconds')
    if not 1 <= value <= LONGEST_LINK:
        raise BadRequest(f'"link_expiry" is from 1 to {LONGEST_LINK:.0f} seconds')
    return float(value)
