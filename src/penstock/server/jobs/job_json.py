"""Jobs and lanes as they stand in JSON answers and in events."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from penstock.jobs import Changes, Job, Lane, Line
from penstock.server.events import Event
from penstock.server.jobs.titles import title_of
from penstock.server.urls import rfc3339, time_json


def job_json(job: Job) -> dict[str, object]:
    """What anybody may know of it: neither its spec nor its checkpoint, which may hold secrets."""
    return {
        "id": job.id,
        "kind": job.kind,
        "title": title_of(job),
        "state": job.state,
        "lane": job.lane,
        "done": job.done,
        "total": job.total,
        "files_done": job.files_done,
        "files_total": job.files_total,
        "rate": None if job.rate is None else round(job.rate, 1),
        "eta": None if job.eta is None else round(job.eta, 1),
        "attempts": job.attempts,
        "cancelling": job.cancelling,
        "created": rfc3339(job.created),
        "started": time_json(job.started),
        "ended": time_json(job.ended),
        "next_try": time_json(job.next_try),
        "error": job.trouble,
    }


def lane_json(lane: Lane) -> dict[str, object]:
    """Its name, whether it is paused, and how many jobs it has in each state."""
    return asdict(lane)


def lanes_json(lanes: Sequence[Lane]) -> dict[str, object]:
    """All of them."""
    return {"lanes": [lane_json(lane) for lane in lanes]}


def line_json(line: Line) -> dict[str, object]:
    """A line of a job's log; its number counts from 1."""
    return {"number": line.number, "at": rfc3339(line.at), "text": line.text}


def job_event(job: Job) -> Event:
    """``progress``, and at the end ``done``, ``failed`` or ``cancelled``."""
    name = str(job.state) if job.has_ended else "progress"
    return Event(name, str(job.revision), job_json(job), last=job.has_ended)


def events_of(changes: Changes) -> Iterator[Event]:
    """``lanes`` if one has changed, and a ``job`` for each that has."""
    if changes.lanes is not None:
        yield Event("lanes", "lanes", lanes_json(changes.lanes), last=False)
    for job in changes.jobs:
        yield Event("job", f"{job.id}-{job.revision}", job_json(job), last=False)
