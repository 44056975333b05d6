"""What becomes of uploads on their way."""

import asyncio
from contextlib import suppress
from typing import Final
from urllib.parse import quote

from penstock.doctor.findings import Finding, State, broken, ok, warning
from penstock.doctor.through.exchange import told_in
from penstock.doctor.through.probe import TUS, Probe
from penstock.errors import ServerUnavailable

_SIZE: Final = 64 << 10
_PATCH: Final = {**TUS, "Content-Type": "application/offset+octet-stream"}
_SEEN_WITHIN: Final = 5.0
"""Seconds in which the server should know of bytes that are on their way."""
_SILENCE: Final = 3.0
"""Seconds in which a refusal comes, if there is to be one."""
_SMALLEST, _LARGEST = 20, 40
"""Powers of two between which the limit of bodies is looked for: a MiB and a TiB."""
_SMALL_LIMIT: Final = 33


async def passed_on_at_once(probe: Probe) -> Finding:
    """Whether the server sees an upload while it is still being sent."""
    name = "uploads are passed on while they come"
    path = await probe.begun("sent", _SIZE)
    async with probe.front.open() as exchange:
        fields = {**_PATCH, "Upload-Offset": "0", "Content-Length": str(_SIZE)}
        await exchange.ask("PATCH", path, fields)
        await exchange.send(bytes(_SIZE // 2))
        seen = await _is_seen(probe, "sent")
        await exchange.send(bytes(_SIZE // 2))
        answer = await exchange.answer()
    if answer.status != 204:
        return broken(name, f"an upload by tus is answered {answer.status}")
    if seen:
        return ok(name, "the server has the first bytes before the last are sent")
    return warning(
        name,
        "they are gathered first: the client waits twice, the proxy's disk has to hold every "
        "upload, and of one that breaks off nothing is kept. nginx: proxy_request_buffering off "
        "and proxy_http_version 1.1; Caddy: leave request_buffers out",
    )


async def _is_seen(probe: Probe, name: str) -> bool:
    deadline = asyncio.get_running_loop().time() + _SEEN_WITHIN
    path = f"/v1/uploads?key={quote(probe.key(name), safe='')}"
    while asyncio.get_running_loop().time() < deadline:
        _, body = await probe.front.call("GET", path)
        uploads = told_in(body).get("uploads")
        if isinstance(uploads, list) and any(
            one.get("active") or one.get("offset") for one in uploads
        ):
            return True
        await asyncio.sleep(0.1)
    return False


async def largest_body(probe: Probe) -> Finding:
    """How large a request may be: announced only, none of it is sent."""
    name = "size of uploads"
    path = await probe.begun("large", _SIZE)
    if not await _is_too_large(probe, path, _LARGEST):
        return ok(name, f"{_told(_LARGEST)} in one request are not refused")
    fits, refused = _SMALLEST - 1, _LARGEST
    while refused - fits > 1:
        middle = (fits + refused) // 2
        if await _is_too_large(probe, path, middle):
            refused = middle
        else:
            fits = middle
    found = f"requests of {_told(refused)} are refused (413) on the way"
    fix = "nginx: client_max_body_size 0; Caddy: leave request_body max_size out"
    return (broken if refused <= _SMALL_LIMIT else warning)(name, f"{found}. {fix}")


async def _is_too_large(probe: Probe, path: str, power: int) -> bool:
    """Whether somebody on the way refuses a body of that size.

    Its offset is wrong on purpose: a server that hears of it takes none of it.
    """
    fields = {
        **_PATCH,
        "Upload-Offset": "7",
        "Content-Length": str(1 << power),
        "Expect": "100-continue",
    }
    try:
        async with probe.front.open() as exchange:
            await exchange.ask("PATCH", path, fields)
            answer = await exchange.next_head(_SILENCE)
            return answer.status == 413 and not answer.is_ours
    except ServerUnavailable:  # it waits for the body, so it does not mind
        return False


def _told(power: int) -> str:
    unit, of = divmod(power, 10)
    return f"{1 << of} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[unit]}"


async def chunks(probe: Probe) -> Finding:
    """Whether a body of unknown length arrives."""
    name = "uploads of unknown length"
    path = f"/v1/files/{quote(probe.key('chunked'))}"
    probe.paths.append(path)
    async with probe.front.open() as exchange:
        fields = {"Transfer-Encoding": "chunked", "Content-Type": "text/plain"}
        await exchange.ask("PUT", path, fields)
        await exchange.send(b"5\r\nhello\r\n0\r\n\r\n")
        answer = await exchange.answer()
        stored = told_in(await exchange.rest())
    if answer.status == 201 and stored.get("size") == 5:
        return ok(name, "they arrive")
    return broken(
        name,
        f"one in chunks is answered {answer.status}; let the proxy speak HTTP/1.1 to the server "
        "(nginx: proxy_http_version 1.1)",
    )


async def interim(probe: Probe) -> Finding:
    """Whether the client hears where its upload is while it is still sending."""
    name = "104 Upload Resumption Supported"
    path = f"/v1/files/{quote(probe.key('draft'))}"
    probe.paths.append(path)
    async with probe.front.open() as exchange:
        fields = {
            "Upload-Draft-Interop-Version": "8",
            "Upload-Complete": "?1",
            "Content-Length": "5",
            "Content-Type": "text/plain",
            "Connection": "keep-alive",
        }
        await exchange.ask("PUT", path, fields)
        await asyncio.sleep(0.2)
        await exchange.send(b"hello")
        with suppress(TimeoutError, asyncio.IncompleteReadError):
            answer = await exchange.answer(_SILENCE)
            await exchange.rest()
            if 104 not in answer.interim:
                return Finding(name, State.ABSENT, _NO_INTERIM)
            if answer.fields.get("Connection", "").lower() != "close":
                await exchange.ask("GET", "/livez", {})
                await exchange.answer(_SILENCE)
            return ok(name, "it comes through")
    return warning(
        name,
        "it is taken for the answer on the way, so that what follows hangs. "
        'nginx: leave proxy_set_header Connection "" and keepalive out',
    )


_NO_INTERIM: Final = (
    "no: a client of the IETF draft whose first request breaks begins anew; tus, forms and "
    "penstock put do without it"
)


async def own_pages(probe: Probe) -> Finding:
    """Whether the server knows by which name it is called: its pages may send files then."""
    name = "Host"
    fields = {**probe.creation("page", 1), "Origin": probe.front.origin}
    answer, _ = await probe.front.call("POST", "/v1/uploads", fields)
    if answer.status == 201:
        probe.paths.append("/v1/uploads/" + answer.fields.get("Location", "").rpartition("/")[2])
        return ok(name, "the server knows the name that it is called by")
    return broken(
        name,
        "the server is told another name than users call it by, so it refuses what its own pages "
        "send, and its links lead nowhere. nginx: proxy_set_header Host $http_host; Caddy: leave "
        "header_up Host out",
    )
