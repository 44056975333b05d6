"""``/create-job``, ``/job/{id}`` and ``/health``, as StreamVault has them.

There a folder is every key that begins with its name, here it is a folder. The id of a job is made
of the folder's name as there, so that clients which make it themselves find it; two folders that
would have the same one do not share it: the second one's has a digest in it. Jobs are archives
(:mod:`penstock.archives.in_store`) whose owner is that id. docs/how-to/migrate/streamvault.md tells
the rest.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from aiohttp import web

from penstock.archives.in_store import LARGE, Archive, Wish
from penstock.archives.in_store.folder import Folder
from penstock.archives.in_store.options import GIB
from penstock.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    PenstockError,
    WrongState,
)
from penstock.jobs import State
from penstock.server.access.granted import grant_of
from penstock.server.access.within import wish_within
from penstock.server.compat.stream_vault_words import (
    fail_reason_of,
    job_id,
    moment,
    progress_of,
    readable,
    s3_key_of,
    state_of,
)
from penstock.server.json_body import json_body
from penstock.server.public import public_url
from penstock.server.services import Services, services_of
from penstock.server.urls import url_of

_MOST_BODY: Final = 1 << 16
_LOOKED_AT: Final = 10
"""Of the newest jobs of one id."""
_ID: Final = re.compile("[A-Za-z0-9_-]+", re.ASCII)


async def create_job(request: web.Request) -> web.Response:
    """``POST /create-job``: have the folder that ``s3Key`` names archived."""
    services = services_of(request)
    try:
        s3_key = _s3_key_in(await json_body(request, _MOST_BODY))
        options, folder = services.archives.options, grant_of(request).prefix
        wish = Wish.of_folder(s3_key, options, within=folder, allow_empty=True)
        wish_within(request, wish)
        surveyed = await services.archives.survey(wish)
        archive, identity = await _begun(services, wish, s3_key, surveyed)
    except Forbidden:
        raise
    except PenstockError as error:
        return _failed(error)
    document = {
        "message": f"{archive.lane.capitalize()} download job created successfully",
        **_data(services, archive, identity, s3_key),
        "isLargeDownload": archive.lane == LARGE,
    }
    return _json(document, 201, {"Location": f"/job/{identity}"})


async def job_details(request: web.Request) -> web.Response:
    """``GET /job/{id}``: how the newest job of that id stands."""
    identity = request.match_info["id"]
    services = services_of(request)
    try:
        if not identity:
            raise BadRequest("Job ID is required")
        if _ID.fullmatch(identity) is None:
            raise NotFound("Job not found")
        archive = await _newest(services, identity)
        if not grant_of(request).covers(archive.wish.prefix):
            raise NotFound("Job not found")
    except PenstockError as error:
        return _failed(error)
    limits = services.jobs.limits
    kept = {"age": int(limits.kept), "count": limits.most_ended}
    standing = {"progress": progress_of(archive), "state": state_of(archive)}
    s3_key = s3_key_of(identity, archive.wish.prefix)
    details = {
        "jobId": identity,
        "name": f"{archive.lane}-download",
        "data": {**_data(services, archive, identity, s3_key), **standing},
        "attempts": limits.tries,
        "backoff": {"delay": int(limits.first_pause * 1000), "type": "exponential"},
        "removeOnComplete": kept,
        "removeOnFail": kept,
        "result": await _result(request, archive),
        **standing,
        "failReason": fail_reason_of(archive),
    }
    message = "Job details retrieved successfully"
    return _json({"message": message, "jobDetails": details}, 200)


async def health(request: web.Request) -> web.Response:
    """``GET /health``: the event loop turns."""
    return _json({"status": "ok"}, 200)


def _s3_key_in(body: bytes) -> str:
    try:
        spec = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    s3_key = spec.get("s3Key") if isinstance(spec, dict) else None
    if not s3_key:
        raise BadRequest("Folder Path is required to begin the download")
    if not isinstance(s3_key, str) or any(0xD800 <= ord(one) <= 0xDFFF for one in s3_key):
        raise BadRequest("s3Key must be a string of Unicode characters")
    return s3_key


async def _begun(
    services: Services, wish: Wish, s3_key: str, folder: Folder
) -> tuple[Archive, str]:
    """The archive, and the id of the job that it is here."""
    archives, lane = services.archives, services.archives.lane_of(folder)
    plain = job_id(s3_key, lane)
    if await _is_free(services, plain, wish):
        archive, _ = await archives.begin(wish, _owner(plain), folder=folder)
        if await _is_free(services, plain, wish):
            return archive, plain
        with suppress(WrongState):  # another folder took the id in the same moment
            await services.jobs.cancel(archive.id, _owner(plain))
    distinct = job_id(s3_key, lane, hashlib.sha256(wish.prefix.encode()).hexdigest()[:12])
    archive, _ = await archives.begin(wish, _owner(distinct), folder=folder)
    return archive, distinct


async def _is_free(services: Services, identity: str, wish: Wish) -> bool:
    """Whether no other folder's job has the id."""
    found = await services.archives.page(owner=_owner(identity), limit=_LOOKED_AT)
    return all(one.wish.prefix == wish.prefix or one.state is State.CANCELLED for one in found)


async def _newest(services: Services, identity: str) -> Archive:
    found = await services.archives.page(owner=_owner(identity), limit=_LOOKED_AT)
    if not found:
        raise NotFound("Job not found")
    # One of another folder may have been cancelled: at once, or before the id was taken anew.
    holder = next((one for one in found if one.state is not State.CANCELLED), found[-1])
    newest = next(one for one in found if one.wish.prefix == holder.wish.prefix)
    return await services.archives.get(newest.id, _owner(identity))


def _owner(identity: str) -> str:
    return f"stream_vault:{identity}"


def _data(services: Services, archive: Archive, identity: str, s3_key: str) -> dict[str, object]:
    threshold = services.archives.options.threshold / GIB
    return {
        "s3Key": s3_key,
        "sizeOfFolder": readable(archive.bytes),
        "thresholdValueInGB": int(threshold) if threshold.is_integer() else threshold,
        "createdAt": moment(archive.created),
        "jobId": identity,
    }


async def _result(request: web.Request, archive: Archive) -> dict[str, object] | None:
    if archive.made is None:
        return None
    link = await services_of(request).archives.link_of(archive)
    here = public_url(request) + url_of(archive.wish.key)
    return {
        "downloadUrl": here if link is None else link,
        "status": "completed",
        "totalSize": readable(archive.made.bytes),
        "noOfFiles": archive.made.members,
    }


def _failed(error: PenstockError) -> web.Response:
    retry_after = error.extra.get("retry_after")
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return _json({"error": error.detail}, error.status, headers)


def _json(
    document: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None
) -> web.Response:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return web.Response(
        text=text,
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
