"""What a storage node says of itself, as s3testcase's services say it, and what ours say more."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from penstock.cluster import Heard, node_address

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
        address=node_address(_text(document, "advertisedAddr")),
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
