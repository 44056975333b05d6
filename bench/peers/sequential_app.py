"""Files in parts on storage services, sent and read one part after another, as s3testcase does it.

Six equal parts, dealt out in turn from the node that holds least. Each part is on one node; nothing
is verified, nothing fsynced, and where the parts are is kept in memory here, which costs less than
the database that s3testcase asks.

    sequential_app.py node DIR PORT
    sequential_app.py gateway PORT NODE_PORT…
"""

import itertools
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

_PARTS = 6
_NO_LIMIT = 1 << 50


@dataclass(frozen=True)
class _Place:
    """A part: on which node, by which name, and how many bytes."""

    port: int
    name: str
    size: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/files/{self.name}"


def node(folder: Path) -> web.Application:
    """Keeps what it is sent in files, written in place."""

    async def put(request: web.Request) -> web.Response:
        with (folder / request.match_info["name"]).open("wb") as file:
            async for data in request.content.iter_any():
                file.write(data)
        return web.json_response({"success": True})

    async def get(request: web.Request) -> web.FileResponse:
        return web.FileResponse(folder / request.match_info["name"])

    app = web.Application(client_max_size=_NO_LIMIT)
    app.add_routes([web.put("/files/{name}", put), web.get("/files/{name}", get)])
    return app


class Gateway:
    """Cuts what comes into parts while it comes, and puts them together while it sends."""

    def __init__(self, ports: list[int]) -> None:
        self._held = dict.fromkeys(ports, 0)
        self._files: dict[str, list[_Place]] = {}
        self._session: aiohttp.ClientSession | None = None

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_NO_LIMIT)
        app.add_routes(
            [web.put("/files/{name:.+}", self.put), web.get("/files/{name:.+}", self.get)]
        )
        app.cleanup_ctx.append(self._connected)
        return app

    async def put(self, request: web.Request) -> web.Response:
        assert request.content_length is not None
        assert self._session is not None
        parts = self._placed(request.content_length)
        body = _Body(request.content)
        for part in parts:
            fields = {"Content-Length": str(part.size)}
            async with self._session.put(
                part.url, data=body.take(part.size), headers=fields
            ) as done:
                done.raise_for_status()
            self._held[part.port] += part.size
        self._files[request.match_info["name"]] = parts
        return web.Response()

    async def get(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        parts = self._files[request.match_info["name"]]
        answer = web.StreamResponse()
        answer.content_length = sum(part.size for part in parts)
        await answer.prepare(request)
        for part in parts:
            async with self._session.get(part.url) as found:
                found.raise_for_status()
                async for data in found.content.iter_any():
                    await answer.write(data)
        return answer

    def _placed(self, size: int) -> list[_Place]:
        count = min(size, _PARTS)
        file, ports = uuid.uuid4(), sorted(self._held, key=self._held.__getitem__)
        sizes = [size // count + (number < size % count) for number in range(count)]
        return [
            _Place(port, f"{file}-{number}", part)
            for number, part, port in zip(
                itertools.count(1), sizes, itertools.cycle(ports), strict=False
            )
        ]

    async def _connected(self, _: web.Application) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(None)) as self._session:
            yield


class _Body:
    """A request's body, of which one part after the other is taken."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content
        self._ahead = b""

    async def take(self, size: int) -> AsyncIterator[bytes]:
        while size:
            data = self._ahead or await self._content.readany()
            data, self._ahead = data[:size], data[size:]
            size -= len(data)
            yield data


if __name__ == "__main__":
    kind, *words = sys.argv[1:]
    if kind == "node":
        found, port = node(Path(words[0])), int(words[1])
    else:
        port, *ports = map(int, words)
        found = Gateway(ports).app()
    web.run_app(found, host="127.0.0.1", port=port, access_log=None, print=None)
