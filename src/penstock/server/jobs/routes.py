"""``/v1/jobs`` and ``/v1/lanes``: look at all jobs, watch them, end them, hold them back."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web

from penstock.errors import BadRequest, WrongState
from penstock.jobs import ENDED, Job, Jobs, State
from penstock.server.access.granted import grant_of
from penstock.server.events import Event, send_events
from penstock.server.jobs.job_json import (
    events_of,
    job_event,
    job_json,
    lane_json,
    lanes_json,
    line_json,
)
from penstock.server.json_body import flag_in
from penstock.server.listing import limit_of
from penstock.server.services import services_of
from penstock.threads import in_thread

_DEFAULT_LISTED = 100
_KIND = re.compile("[a-z0-9_-]{1,64}", re.ASCII)
_NO_STORE = {"Cache-Control": "no-store"}


async def list_jobs(request: web.Request) -> web.Response:
    """``GET /v1/jobs``: a page of them, the newest first."""
    limit = limit_of(request, _DEFAULT_LISTED)
    found = await _jobs(request).page(
        _kind(request),
        grant_of(request).owner,
        after=request.query.get("after", ""),
        limit=limit,
        state=_state(request),
        bare=True,
    )
    # A thousand titles take a while.
    document = {
        "jobs": await in_thread(lambda: [job_json(job) for job in found]),
        "next": found[-1].id if len(found) == limit else None,
    }
    return web.json_response(document, headers=_NO_STORE)


async def jobs_events(request: web.Request) -> web.StreamResponse:
    """``GET /v1/jobs/events``: lanes and recent jobs, and again what changes of them."""
    return await send_events(request, _all_events(request), {})


async def get_job(request: web.Request) -> web.Response:
    """``GET /v1/jobs/{id}``: how it stands."""
    return _answer(await _jobs(request).get(*_which(request)), 200)


async def job_log(request: web.Request) -> web.Response:
    """``GET /v1/jobs/{id}/log``: its newest lines, the oldest first."""
    lines = await _jobs(request).log(*_which(request))
    return web.json_response({"lines": [line_json(line) for line in lines]}, headers=_NO_STORE)


async def job_events(request: web.Request) -> web.StreamResponse:
    """``GET /v1/jobs/{id}/events``: how it stands, again whenever that changes."""
    if request.method == "HEAD":
        await _jobs(request).get(*_which(request))
    return await send_events(request, _events(request), {})


async def cancel_job(request: web.Request) -> web.Response:
    """``DELETE /v1/jobs/{id}``: end it, and remove what it left."""
    jobs = _jobs(request)
    try:
        job = await jobs.cancel(*_which(request))
    except WrongState:
        job = await jobs.get(*_which(request))
        if job.state is not State.CANCELLED:
            raise
    return _answer(job, 200 if job.state in ENDED else 202)


async def retry_job(request: web.Request) -> web.Response:
    """``POST /v1/jobs/{id}/retry``: go on with one that failed or was cancelled."""
    return _answer(await _jobs(request).retry(*_which(request)), 202)


async def list_lanes(request: web.Request) -> web.Response:
    """``GET /v1/lanes``: how many jobs are in each, and which are paused."""
    return web.json_response(lanes_json(await _jobs(request).lanes()), headers=_NO_STORE)


async def change_lane(request: web.Request) -> web.Response:
    """``PUT /v1/lanes/{name}``: pause it, or let it go on."""
    paused = await flag_in(request, "paused")
    jobs, name = _jobs(request), request.match_info["name"]
    lane = await (jobs.pause(name) if paused else jobs.resume(name))
    return web.json_response(lane_json(lane), headers=_NO_STORE)


async def _events(request: web.Request) -> AsyncGenerator[Event, None]:
    async with aclosing(_jobs(request).watch(*_which(request))) as stands:
        async for job in stands:
            yield job_event(job)


async def _all_events(request: web.Request) -> AsyncGenerator[Event, None]:
    async with aclosing(_jobs(request).watch_all(grant_of(request).owner)) as all_changes:
        async for changes in all_changes:
            for event in events_of(changes):
                yield event


def _state(request: web.Request) -> State | None:
    value = request.query.get("state")
    if value is not None and value not in set(State):
        raise BadRequest(f"state is one of {', '.join(State)}")
    return None if value is None else State(value)


def _kind(request: web.Request) -> str | None:
    value = request.query.get("kind")
    if value is not None and _KIND.fullmatch(value) is None:
        raise BadRequest("kind is the name of a kind of jobs, such as pull")
    return value


def _jobs(request: web.Request) -> Jobs:
    return services_of(request).jobs


def _which(request: web.Request) -> tuple[str, str | None]:
    """The id of a job, and whose it must be."""
    return request.match_info["id"], grant_of(request).owner


def _answer(job: Job, status: int) -> web.Response:
    return web.json_response(job_json(job), status=status, headers=_NO_STORE)
