"""Upload-Metadata: what a client says of a file (tus 1.0, Creation)."""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping

from penstock.errors import BadRequest
from penstock.octets.content_types import given_type

# Visible ASCII without the comma: what cannot be told back in a header field is not taken in.
_KEY = re.compile(r"[!-+\--~]+", re.ASCII)
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)


class Metadata:
    """The pairs of one ``Upload-Metadata`` field; ``field`` is the field as it came.

    :raises BadRequest: a pair is malformed, or a key stands twice.
    """

    def __init__(self, field: str | None) -> None:
        self.field = (field or "").strip()
        self._values = _parse(self.field)

    def text(self, *names: str) -> str:
        """The first of the keys that has a value, as text; empty if none has.

        :raises BadRequest: the value is not UTF-8.
        """
        for name in names:
            if value := self._values.get(name):
                try:
                    return value.decode()
                except UnicodeDecodeError:
                    raise BadRequest(f"the metadata {name} must be UTF-8") from None
        return ""

    def number(self, name: str) -> int:
        """The key's value in digits; 0 if it is absent.

        :raises BadRequest: it is not a number.
        """
        value = self.text(name) or "0"
        if not value.isascii() or not value.isdigit() or len(value) > 18:
            raise BadRequest(f"the metadata {name} must be a number in digits")
        return int(value)

    @property
    def key(self) -> str:
        """Where the file shall be stored; empty if nothing names it."""
        folder, name = self.text("path").strip("/"), self.text("filename", "name")
        return f"{folder}/{name}" if folder and name else name

    @property
    def content_type(self) -> str | None:
        """The type of the file, if it says anything."""
        return given_type(self.text("filetype", "type"))

    @property
    def sha256(self) -> bytes | None:
        """The SHA-256 that the whole file must have, 32 bytes.

        :raises BadRequest: it is not one in hexadecimal.
        """
        value = self.text("sha256")
        if value and _SHA256.fullmatch(value) is None:
            raise BadRequest("the metadata sha256 must be 64 hexadecimal digits")
        return bytes.fromhex(value) or None


def _parse(field: str) -> Mapping[str, bytes]:
    values: dict[str, bytes] = {}
    for pair in field.split(",") if field else ():
        key, _, value = pair.strip().partition(" ")
        if _KEY.fullmatch(key) is None:
            raise BadRequest("a key in Upload-Metadata is empty or not plain ASCII")
        if key in values:
            raise BadRequest(f"the key {key} stands twice in Upload-Metadata")
        try:
            values[key] = b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise BadRequest(f"the value of {key} in Upload-Metadata must be Base64") from None
    return values
