"""The fields of resumable uploads (draft-ietf-httpbis-resumable-upload), in the versions spoken.

A field whose value is not of the kind that the draft asks for counts as absent. Clients name the
version they speak in ``Upload-Draft-Interop-Version``; what differs between the versions is here.
"""

import math
from dataclasses import dataclass

import http_sf
from multidict import CIMultiDictProxy

Fields = CIMultiDictProxy[str]

OCTETS = "application/partial-upload"
"""The media type of what is appended, from version 6 on."""

CURRENT = 8
_ANNOUNCED = (3, 5, 6, CURRENT)
_OLDEST_WITH_COMPLETE = 4
_OLDEST_WITH_MEDIA_TYPE = 6
_OLDEST_WITH_MAX_AGE = 7
_MOST = 10**15 - 1
"""The largest Integer of a structured field (RFC 9651 §3.3.1)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The version of the draft that a request is made in.

    ``announced``: the client named it, so it may be sent interim responses that carry it.
    """

    version: int
    announced: bool

    @property
    def inverse(self) -> bool:
        """``Upload-Incomplete`` instead of ``Upload-Complete``."""
        return self.version < _OLDEST_WITH_COMPLETE

    @property
    def needs_media_type(self) -> bool:
        """An append is ``application/partial-upload`` or nothing."""
        return self.version >= _OLDEST_WITH_MEDIA_TYPE

    @property
    def appended(self) -> int:
        """The status that acknowledges an append which does not complete the upload."""
        return 204 if self.needs_media_type else 201

    @property
    def names_upload(self) -> bool:
        """Every answer to a creation names the upload resource in ``Location``.

        In the current version only those that do not come from the target resource.
        """
        return self.version < CURRENT

    def complete(self, fields: Fields) -> bool | None:
        """Whether the content of a request is the end of the upload; ``None``: it does not say."""
        if not self.inverse:
            return boolean(fields, "Upload-Complete")
        incomplete = boolean(fields, "Upload-Incomplete")
        return None if incomplete is None else not incomplete

    def completeness(self, complete: bool) -> dict[str, str]:
        """The field of an answer that tells whether the upload is complete.

        Beside it stands the version if the client named it: some look for it in every answer.
        """
        version = {"Upload-Draft-Interop-Version": str(self.version)} if self.announced else {}
        if self.inverse:
            return {"Upload-Incomplete": f"?{int(not complete)}", **version}
        return {"Upload-Complete": f"?{int(complete)}", **version}

    def limit(
        self, *, most: int | None, most_append: int | None = None, age: float | None = None
    ) -> dict[str, str]:
        """The field of an answer that tells the limits: sizes in bytes, ``age`` in seconds."""
        limits = {
            "max-size": most,
            "max-append-size": most_append,
            self._age: None if age is None else max(0, math.floor(age)),
        }
        told = {name: min(value, _MOST) for name, value in limits.items() if value is not None}
        # An empty field would be none at all.
        members = [f"{name}={value}" for name, value in (told or {"min-size": 0}).items()]
        return {"Upload-Limit": ", ".join(members)}

    @property
    def _age(self) -> str:
        return "max-age" if self.version >= _OLDEST_WITH_MAX_AGE else "expires"


def draft_of(fields: Fields) -> Draft:
    """The version of a request; the current one if it names none, or one that is not spoken."""
    version = integer(fields, "Upload-Draft-Interop-Version")
    if version in _ANNOUNCED:
        return Draft(version, announced=True)
    if version == _OLDEST_WITH_COMPLETE:  # as 5 in what is read here
        return Draft(version, announced=False)
    old = "Upload-Incomplete" in fields and "Upload-Complete" not in fields
    return Draft(_ANNOUNCED[0] if old else CURRENT, announced=False)


def boolean(fields: Fields, name: str) -> bool | None:
    """A Boolean (RFC 9651 §3.3.6); ``None`` if it is absent or something else."""
    value = _item(fields, name)
    return value if isinstance(value, bool) else None


def integer(fields: Fields, name: str) -> int | None:
    """A non-negative Integer (RFC 9651 §3.3.1); ``None`` if it is absent or something else."""
    value = _item(fields, name)
    return value if type(value) is int and value >= 0 else None


def _item(fields: Fields, name: str) -> object:
    """The bare item of a structured field; its parameters have no meaning here."""
    lines = fields.getall(name, [])
    if not lines:
        return None
    try:
        parsed = http_sf.parse(", ".join(lines).encode("ascii"), tltype="item")
    except ValueError:  # also of characters that no structured field has
        return None
    assert isinstance(parsed, tuple)
    return parsed[0]


def upload_lengths(
    fields: Fields, *, complete: bool, offset: int, content_length: int | None
) -> list[int]:
    """What a request tells of the length of the whole, in bytes, by one or two ways.

    Content that is the end of the upload tells it too, if its own length is known.
    """
    told = integer(fields, "Upload-Length")
    reached = offset + content_length if complete and content_length is not None else None
    return [length for length in (told, reached) if length is not None]
