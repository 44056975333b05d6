"""What the plugin of Uppy asks for, in JSON and in parameters."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from penstock.errors import BadRequest
from penstock.octets.content_types import given_type
from penstock.stores.keys import check_key

MOST_NUMBERS: Final = 1000
"""Parts whose URLs are asked for at once."""

_TOLD: Final = ("name", "type", "relativePath")
"""Metadata of Uppy's own, which key and type tell already."""
_METADATA: Final = re.compile(r"metadata\[(.*)\]", re.DOTALL)
_ETAG: Final = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?', re.ASCII)


class NewFile(NamedTuple):
    """A file that is to be sent; an empty ``content_type`` is one that says nothing."""

    key: str
    content_type: str
    metadata: Mapping[str, str]

    @classmethod
    def from_json(cls, text: bytes) -> "NewFile":
        """Read ``{"filename": "…", "type": "…", "metadata": {…}}``.

        :raises BadRequest: it is something else.
        :raises BadKey: no file can have that key.
        """
        spec = _object(text)
        metadata = spec.get("metadata")
        if metadata is None:
            metadata = {}
        if not isinstance(metadata, dict):
            raise BadRequest('"metadata" must be an object')
        return cls._of(
            spec.get("filename"), spec.get("type"), [(n, _text(n, v)) for n, v in metadata.items()]
        )

    @classmethod
    def from_query(cls, query: Iterable[tuple[str, str]]) -> "NewFile":
        """Read ``filename=…&type=…&metadata[name]=…``. Raises likewise."""
        given = dict(query)
        found = ((_METADATA.fullmatch(name), value) for name, value in given.items())
        metadata = [(match[1], value) for match, value in found if match]
        return cls._of(given.get("filename"), given.get("type"), metadata)

    @classmethod
    def _of(
        cls, file_name: object, content_type: object, metadata: Iterable[tuple[str, str | None]]
    ) -> "NewFile":
        if not isinstance(file_name, str) or not file_name:
            raise BadRequest('"filename" must be a text that is not empty; it becomes the key')
        if not isinstance(content_type, str | None):
            raise BadRequest('"type" must be a text')
        kept = {name: value for name, value in metadata if value is not None}
        # Uppy tells of a file that was dropped with its folder where it was in that.
        path = kept.get("relativePath", "")
        inside = path.rpartition("/")[2] == file_name
        key = check_key(path if inside else file_name)
        for name in _TOLD:
            kept.pop(name, None)
        return cls(key, given_type(content_type) or "", kept)


def chosen_parts(text: bytes, most: int) -> Sequence[tuple[int, str]]:
    """Read ``{"parts": [{"PartNumber": 1, "ETag": "…"}, …]}``; in the order of the numbers.

    :raises BadRequest: it is something else.
    """
    parts = _object(text).get("parts")
    if not isinstance(parts, list) or not parts:
        raise BadRequest('"parts" must be a list of {"PartNumber", "ETag"}, and not empty')
    chosen = sorted(_part(part, most) for part in parts)
    if len({number for number, _ in chosen}) != len(chosen):
        raise BadRequest("a part is named twice")
    return chosen


def part_number(text: str, most: int) -> int:
    """The number of a part.

    :raises BadRequest: it is no number from 1 to ``most``.
    """
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if not digits or not 1 <= int(text) <= most:
        raise BadRequest(f"the part number must be one from 1 to {most}")
    return int(text)


def part_numbers(text: str, most: int) -> Sequence[int]:
    """Numbers of parts, with commas between. Raises likewise."""
    texts = text.split(",")
    if len(texts) > MOST_NUMBERS:
        raise BadRequest(f"ask for {MOST_NUMBERS} parts at most at once")
    return [part_number(each, most) for each in texts]


def _object(text: bytes) -> dict[str, Any]:
    try:
        spec = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(spec, dict):
        raise BadRequest("send a JSON object")
    return spec


def _text(name: str, value: object) -> str | None:
    """A value of metadata; ``None`` of what Uppy knows nothing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise BadRequest(f"the metadata {name[:80]!a} must be a text or a number")


def _part(part: object, most: int) -> tuple[int, str]:
    if not isinstance(part, dict):
        raise BadRequest('each of "parts" must be an object')
    number, etag = part.get("PartNumber"), part.get("ETag")
    if type(number) is not int or not 1 <= number <= most:
        raise BadRequest(f'"PartNumber" must be a number from 1 to {most}')
    match = _ETAG.fullmatch(etag) if isinstance(etag, str) else None
    if match is None:
        raise BadRequest('"ETag" must be what S3 answered to the part')
    return number, match[1]
