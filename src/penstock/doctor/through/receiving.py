"""What becomes of downloads on their way."""

import asyncio
import json
from typing import Final
from urllib.parse import quote

from penstock.doctor.findings import Finding, State, broken, ok, warning
from penstock.doctor.through.exchange import told_in
from penstock.doctor.through.probe import TUS, Probe
from penstock.errors import ServerUnavailable

_TEXT: Final = b"".join(b"<p>line %06d of a page\n" % number for number in range(4096))
_FIRST, _WHOLE = 20_000, 60_000
_PATCH: Final = {**TUS, "Content-Type": "application/offset+octet-stream"}
PAUSE: Final = 75.0
"""Seconds: proxies give a silent server sixty by default."""
_LONG: Final = 6_000


async def passed_on_at_once(probe: Probe) -> Finding:
    """Whether the first bytes of an answer come before its last are there."""
    return await _followed(probe, "downloads are passed on while they come", "followed", 0.0)


async def silence(probe: Probe, pause: float) -> Finding:
    """Whether an answer may pause for so many seconds; takes that long."""
    return await _followed(probe, "answers that pause", "paused", pause)


async def _followed(probe: Probe, name: str, file: str, pause: float) -> Finding:
    """Read an upload along that is not whole yet, let it pause, and end it."""
    path = await probe.begun(file, _WHOLE)
    await _append(probe, path, 0, _FIRST)
    async with probe.front.open() as exchange:
        await exchange.ask("GET", f"/v1/files/{quote(probe.key(file))}?follow", {})
        came = 0
        try:
            answer = await exchange.answer()
            while came < _FIRST and answer.status == 200:
                came += len(await exchange.some())
        except TimeoutError:
            pass
        if came == _FIRST:
            await asyncio.sleep(pause)
        await _append(probe, path, _FIRST, _WHOLE - _FIRST)
        if came < _FIRST:
            return warning(
                name,
                "they are gathered first, so who follows an upload sees nothing until it is there. "
                "nginx: proxy_buffering off; Caddy: flush_interval -1",
            )
        try:
            came += len(await exchange.rest())
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return warning(
                name,
                f"one that pauses for {pause:g} s is cut off. nginx: proxy_read_timeout and "
                "send_timeout 3600s; Caddy: leave read_timeout out",
            )
    if came != _WHOLE:
        return broken(name, f"of {_WHOLE:,} bytes {came:,} came, and the end looked like a success")
    paused = f"; a pause of {pause:g} s does no harm" if pause else ""
    return ok(name, f"the first bytes come before the last are there{paused}")


async def _append(probe: Probe, path: str, offset: int, count: int) -> None:
    fields = {**_PATCH, "Upload-Offset": str(offset)}
    answer, _ = await probe.front.call("PATCH", path, fields, bytes(count))
    if answer.status != 204:
        raise ServerUnavailable(f"an upload by tus is answered {answer.status}")


async def versions_and_ranges(probe: Probe) -> list[Finding]:
    """Whether tags, conditions and ranges are those of the server, and the bytes too."""
    path = await probe.stored("page.html", _TEXT, "text/html")
    whole, body = await probe.front.call("GET", path)
    tag = whole.fields.get("ETag", "")
    return [
        await _coding(probe, path, tag, intact=body == _TEXT),
        await _range(probe, path, tag),
        await _condition(probe, path, tag),
    ]


async def _coding(probe: Probe, path: str, tag: str, *, intact: bool) -> Finding:
    name = "versions (ETag)"
    # The server keeps to the preference; what codes on the way mostly does not.
    fields = {"Accept-Encoding": "identity, gzip;q=0.001"}
    answer, _ = await probe.front.call("GET", path, fields)
    fix = (
        "The server codes text itself. nginx: gzip off; Caddy: leave encode out, and write "
        "compression off into transport http"
    )
    if not intact:
        return broken(name, f"the bytes of a page are changed on the way. {fix}")
    if not tag or tag.startswith("W/"):
        return broken(name, f"they are {tag or 'missing'}, so nothing can be resumed. {fix}")
    if answer.fields.get("ETag") != tag or "Content-Encoding" in answer.fields:
        return warning(
            name, f"text is coded on the way, and cannot be resumed or verified then. {fix}"
        )
    return ok(name, "they come through as they are")


async def _range(probe: Probe, path: str, tag: str) -> Finding:
    name = "ranges"
    fields = {"Range": "bytes=1000-1999", "If-Range": tag}
    answer, body = await probe.front.call("GET", path, fields)
    if answer.status == 206 and body == _TEXT[1000:2000] and answer.fields.get("ETag") == tag:
        return ok(name, "a download can go on where it broke off")
    return broken(
        name,
        f"one is answered {answer.status}, so downloads cannot be resumed. nginx: "
        "proxy_force_ranges and proxy_cache off; Caddy: compression off in transport http",
    )


async def _condition(probe: Probe, path: str, tag: str) -> Finding:
    name = "conditions"
    same, _ = await probe.front.call("GET", path, {"If-None-Match": tag})
    other, _ = await probe.front.call("DELETE", path, {"If-Match": '"another"'})
    if (same.status, other.status) == (304, 412):
        return ok(name, "If-Match and If-None-Match come through")
    return broken(
        name,
        f"they are answered {same.status} and {other.status} in place of 304 and 412: they do not "
        "reach the server, so a write may replace what it should not",
    )


async def protocol(probe: Probe) -> list[Finding]:
    """Whether answers of unknown length can be had, and what follows them."""
    name = "HTTP/1.1 to the server"
    await probe.stored("in-zip.txt", _TEXT[:1000], "text/plain")
    prefix = quote(probe.folder, safe="")
    path = f"/v1/zip?prefix={prefix}&compress=deflate&on_error=report"
    async with probe.front.open() as exchange:
        await exchange.ask("GET", path, {"TE": "trailers"})
        answer = await exchange.answer()
        body = await exchange.rest()
        trailers = exchange.trailers
    if answer.status == 505 or told_in(body).get("code") == "http-too-old":
        return [
            broken(
                name,
                "no: it is spoken to in HTTP/1.0, which cannot carry ZIPs that are made while they "
                "are sent. nginx: proxy_http_version 1.1",
            )
        ]
    if answer.status != 200 or not body.startswith(b"PK"):
        return [broken(name, f"a ZIP that is made while it is sent is answered {answer.status}")]
    return [ok(name, "yes"), _trailers(bool(trailers))]


def _trailers(present: bool) -> Finding:
    name = "trailer fields"
    if present:
        return ok(name, "they come through")
    return Finding(
        name,
        State.ABSENT,
        "no: what a ZIP lacks is said in the report inside it only. nginx from 1.27.2: "
        "proxy_pass_trailers on",
    )


async def long_requests(probe: Probe) -> Finding:
    """Whether long keys and fields arrive."""
    name = "long requests"
    answers = {
        "URL": await probe.front.call("GET", f"/v1/uploads?key={'x' * _LONG}"),
        "field": await probe.front.call("GET", "/livez", {"X-Long": "x" * _LONG}),
    }
    refused = [what for what, (answer, _) in answers.items() if not answer.is_ours]
    if not refused:
        return ok(name, f"a URL and a field of {_LONG:,} bytes arrive")
    return warning(
        name,
        f"a {' and a '.join(refused)} of {_LONG:,} bytes is refused on the way: long names cannot "
        "be used. nginx: large_client_header_buffers 4 16k; Caddy: max_header_size 64KB",
    )


async def scheme(probe: Probe) -> Finding | None:
    """Whether links that the server makes lead to where it is called; ``None``: it makes none."""
    await probe.stored("shared.txt", b"shared", "text/plain")
    key = probe.key("shared.txt")
    wish = json.dumps({"kind": "download", "keys": [key], "expires_in": 60}).encode()
    answer, body = await probe.front.call(
        "POST", "/v1/shares", {"Content-Type": "application/json"}, wish
    )
    told = told_in(body)
    if answer.status != 201:
        return None
    probe.paths.append(f"/v1/shares/{told.get('id')}")
    name, url = "links", str(told.get("url"))
    if url.startswith(f"{probe.front.origin}{probe.front.root}/"):
        return ok(name, "they lead to where the server is called")
    return broken(
        name,
        f"they begin with {'/'.join(url.split('/')[:3])}. Set PENSTOCK_PUBLIC_URL to "
        f"{probe.front.url}, or nginx: proxy_set_header X-Forwarded-Proto $scheme; Caddy sets it",
    )
