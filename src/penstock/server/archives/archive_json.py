"""An archive as it stands in JSON answers and in events."""

import time

from penstock.archives.in_store import Archive, Archives, Estimate
from penstock.server.events import Event
from penstock.server.urls import file_json, rfc3339, time_json, url_of
from penstock.stores.composing import Usage

ARCHIVES = "/v1/archives"


def archive_path(identity: str) -> str:
    """The path of an archive."""
    return f"{ARCHIVES}/{identity}"


async def archive_json(archives: Archives, archive: Archive) -> dict[str, object]:
    """What anybody may know of it. Its link is made now, so it is good for its full time."""
    wish, made = archive.wish, archive.made
    return {
        "id": archive.id,
        "state": archive.state,
        "prefix": wish.prefix,
        "key": wish.key,
        "lane": archive.lane,
        "done": archive.done,
        "size": archive.size,
        "files_done": archive.files_done,
        "files": archive.files,
        "rate": None if archive.rate is None else round(archive.rate, 1),
        "eta": None if archive.eta is None else round(archive.eta, 1),
        "attempts": archive.attempts,
        "cancelling": archive.cancelling,
        "created": rfc3339(archive.created),
        "started": time_json(archive.started),
        "ended": time_json(archive.ended),
        "next_try": time_json(archive.next_try),
        "archive": None if made is None else file_json(made.file),
        **await _link(archives, archive),
        "tags": dict(wish.tags),
        "members": None if made is None else made.members,
        "parts": None if made is None else made.parts,
        "copied": None if made is None else made.copied,
        "seconds": None if archive.seconds is None else round(archive.seconds, 3),
        "usage": None if made is None else usage_json(made.usage),
        "cost": archives.cost_of(archive),
        "memory_peak": None if made is None else made.memory_peak,
        "error": archive.error,
    }


async def archive_event(archives: Archives, archive: Archive) -> Event:
    """``progress``, and at the end ``done``, ``failed`` or ``cancelled``."""
    name = str(archive.state) if archive.has_ended else "progress"
    document = await archive_json(archives, archive)
    return Event(name, str(archive.revision), document, last=archive.has_ended)


def estimate_json(estimate: Estimate) -> dict[str, object]:
    """What an archive would take."""
    return {
        "prefix": estimate.wish.prefix,
        "key": estimate.wish.key,
        "files": estimate.files,
        "folders": estimate.folders,
        "bytes": estimate.bytes,
        "size": estimate.size,
        "lane": estimate.lane,
        "parts": estimate.parts,
        "usage": usage_json(estimate.usage),
        "seconds": round(estimate.seconds, 3),
        "cost": estimate.cost,
    }


def usage_json(usage: Usage) -> dict[str, int]:
    """What was, or would be, used of the store."""
    return usage._asdict()


async def _link(archives: Archives, archive: Archive) -> dict[str, str | None]:
    if archive.made is None:
        return {"link": None, "link_expires": None}
    link = await archives.link_of(archive)
    if link is None:
        return {"link": url_of(archive.wish.key), "link_expires": None}
    if archive.wish.link != "presigned":
        return {"link": link, "link_expires": None}
    expires = time.time() + archive.wish.link_expiry
    return {"link": link, "link_expires": rfc3339(expires)}
