"""What a storage node says of itself, as s3testcase's services say it, and what ours say more."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from penstock.cluster import Heard

_ADDRESS: Final = re.compile(
    r"(?:https?://)?(?:[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})/?", re.ASCII
)
_MOST: Final = (1 << 63) - 1
"""What the catalog can hold."""


class Announcement(NamedTuple):
    """What a node says, and the id of the cluster that it belongs to: empty if it belongs to none
    yet, ``None`` if it does not tell, as those of s3testcase."""

    heard: Heard
    cluster: str | None


def announcement_of(body: bytes) -> Announcement:
    """Read the body of ``POST /live``.

    The sender's ``timestamp`` is not used: clocks differ, and anybody may send one of next year.
    ``capacity`` and ``free`` were unknown to s3testcase: a node that does not tell them has no
    room, so it is seen, but given nothing.

    :raises ValueError: it is not understood.
    """
    try:
        document = json.loads(body)
    except RecursionError:
        raise ValueError("the JSON is too deep") from None
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    if not isinstance(document.get("timestamp", ""), str):
        raise ValueError("the timestamp is no text")
    heard = Heard(
        id=str(UUID(_text(document, "serviceId"))),
        address=_address(_text(document, "advertisedAddr")),
        capacity=_bytes(document, "capacity", 0),
        free=_bytes(document, "free", 0),
        used=_bytes(document, "storageSizeBytes"),
    )
    return Announcement(heard, _cluster(document))


def _cluster(document: Mapping[str, Any]) -> str | None:
    if "cluster" not in document:
        return None
    told = _text(document, "cluster")
    return str(UUID(told)) if told else ""


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _bytes(document: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = document.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError(f"{name} is no number of bytes")
    return value


def _address(text: str) -> str:
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match[1]) < 1 << 16:
        raise ValueError("advertisedAddr is not host:port, nor the URL of one")
    return text.removesuffix("/")
