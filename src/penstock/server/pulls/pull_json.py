"""A pull as it stands in JSON answers and in events."""

from penstock.pulls import Pull
from penstock.server.events import Event
from penstock.server.urls import file_json, rfc3339, time_json

PULLS = "/v1/pulls"


def pull_path(identity: str) -> str:
    """The path of a pull."""
    return f"{PULLS}/{identity}"


def pull_json(pull: Pull) -> dict[str, object]:
    """What anybody may know of it."""
    return {
        "id": pull.id,
        "state": pull.state,
        "url": pull.source,
        "key": pull.key,
        "received": pull.received,
        "size": pull.size,
        "rate": None if pull.rate is None else round(pull.rate, 1),
        "eta": None if pull.eta is None else round(pull.eta, 1),
        "attempts": pull.attempts,
        "cancelling": pull.cancelling,
        "created": rfc3339(pull.created),
        "started": time_json(pull.started),
        "ended": time_json(pull.ended),
        "next_try": time_json(pull.next_try),
        "file": None if pull.file is None else file_json(pull.file),
        "replaced": pull.replaced,
        "error": pull.error,
    }


def pull_event(pull: Pull) -> Event:
    """``progress``, and at the end ``done``, ``failed`` or ``cancelled``."""
    name = str(pull.state) if pull.has_ended else "progress"
    return Event(name, str(pull.revision), pull_json(pull), last=pull.has_ended)
