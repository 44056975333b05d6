"""A selection: which stored files a ZIP is made of."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from penstock.errors import BadRequest
from penstock.stores.keys import check_key, check_prefix

_FIELDS = {"keys", "prefixes", "name"}


@dataclass(frozen=True, slots=True)
class Selection:
    """Keys in the order they were named, then everything below the prefixes in key order.

    Nothing is in it twice. ``name`` is the file name of the ZIP, if the caller chose one.
    """

    keys: tuple[str, ...]
    prefixes: tuple[str, ...]
    name: str | None = None

    @classmethod
    def make(
        cls, keys: Iterable[str], prefixes: Iterable[str], name: str | None = None
    ) -> "Selection":
        """Check and normalise.

        :raises BadKey: a key or prefix that cannot be.
        :raises BadRequest: nothing is selected.
        """
        distinct = _outermost(map(check_prefix, prefixes))
        chosen = tuple(
            key
            for key in dict.fromkeys(map(check_key, keys))
            if not any(key.startswith(prefix) for prefix in distinct)
        )
        if not chosen and not distinct:
            raise BadRequest("nothing is selected; name at least one key or prefix")
        return cls(chosen, distinct, name or None)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Selection":
        """Read ``{"keys": […], "prefixes": […], "name": "…"}``, every member optional.

        :raises BadRequest: it is something else.
        """
        try:
            spec = json.loads(text)
        except ValueError as error:
            raise BadRequest(f"the body is not JSON: {error}") from None
        if not isinstance(spec, dict) or not spec.keys() <= _FIELDS:
            raise BadRequest('send a JSON object with "keys", "prefixes" and "name"')
        name = spec.get("name")
        if name is not None and not isinstance(name, str):
            raise BadRequest('"name" must be a string')
        return cls.make(_strings(spec, "keys"), _strings(spec, "prefixes"), name)

    def to_json(self) -> str:
        """The text that :meth:`from_json` reads."""
        return json.dumps(asdict(self))

    @property
    def base(self) -> str:
        """The deepest folder that holds everything selected; ends in ``/`` or is empty.

        A prefix ``photos/`` stands for the folder itself, which lies in the one above.
        """
        folders = [item.rstrip("/").rpartition("/")[0] for item in self.keys + self.prefixes]
        common = _common(folder.split("/") for folder in folders)
        return "/".join(common) + "/" if common and common != [""] else ""

    @property
    def file_name(self) -> str:
        """The name to save the ZIP under."""
        if self.name:
            return self.name if self.name.lower().endswith(".zip") else f"{self.name}.zip"
        only = self.keys + self.prefixes
        stem = only[0].rstrip("/").rpartition("/")[2] if len(only) == 1 else ""
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


def _strings(spec: dict[str, object], name: str) -> list[str]:
    value = spec.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadRequest(f'"{name}" must be a list of strings')
    return value
