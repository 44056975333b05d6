"""A folder as a ZIP that can be resumed: its sizes are known, its CRC-32s are not."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from penstock.zipstream import Entry, Learned, Plan, aiter_zip, plan_zip, zip_headers

FOLDER = Path("photos")
learned_of: dict[str, Learned] = {}  # by ETag; bound it, or keep it where your sessions are


def planned() -> tuple[Plan, list[Path]]:
    paths = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    stats = [(path, path.stat()) for path in paths]
    entries = [
        # The time in nanoseconds as token: a file that was changed gives another ETag.
        Entry(str(path.relative_to(FOLDER)), s.st_size, None, int(s.st_mtime), s.st_mtime_ns)
        for path, s in stats
    ]
    return plan_zip(entries), paths


async def download(request: web.Request) -> web.StreamResponse:
    plan, paths = await asyncio.to_thread(planned)

    async def read(index: int, start: int, stop: int) -> AsyncIterator[bytes]:
        with paths[index].open("rb") as file:
            file.seek(start)
            while data := await asyncio.to_thread(file.read, min(1 << 20, stop - start)):
                start += len(data)
                yield data

    learned = learned_of.setdefault(plan.etag, Learned(plan))
    headers = zip_headers(plan) | {"Accept-Ranges": "bytes"}
    whole = span = range(plan.size)
    if request.headers.get("If-Range", headers["ETag"]) == headers["ETag"]:
        span = whole[request.http_range]
    if not span or not learned.covers(span.start):
        span = whole  # a range is a wish: the whole is always a right answer
    if span != whole:
        headers["Content-Length"] = str(len(span))
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{plan.size}"

    response = web.StreamResponse(status=200 if span == whole else 206, headers=headers)
    await response.prepare(request)
    async for piece in aiter_zip(plan, read, span.start, span.stop, learned=learned):
        await response.write(piece)
    return response


app = web.Application()
app.router.add_get("/photos.zip", download, allow_head=False)
