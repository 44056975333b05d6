"""What clients are told while nobody can connect to the catalog's database."""

import asyncio
from typing import Any

import aiohttp

from tests.cluster.test_hanging import Line, line
from tests.conftest import StartServer

__all__ = ["line"]

REQUESTS: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/v1/files/a", {}),
    ("PUT", "/v1/files/a", {}),
    ("GET", "/v1/files", {}),
    ("GET", "/v1/jobs", {}),
    ("GET", "/v1/nodes", {}),
    ("DELETE", "/v1/nodes/a", {}),
    ("GET", "/files/a", {}),
    ("POST", "/upload", {"X-File-Name": "a"}),
]


async def test_a_database_that_is_away_is_told_as_such(
    start_server: StartServer, line: Line
) -> None:
    server = await asyncio.to_thread(start_server, store="cluster://", catalog=line.url)
    line.cut()
    async with aiohttp.ClientSession(server.url) as session:
        for method, path, headers in REQUESTS:
            told, text = await told_of(session, method, path, headers)

            assert (told.status, told.headers["Retry-After"]) == (503, "2"), (path, text)
            assert "database cannot be reached now; try again later" in text, path
            kind = "application/problem+json" if path.startswith("/v1/") else "text/plain"
            assert told.content_type == kind, path

    log = await asyncio.to_thread(server.log.read_text)
    assert "unexpected error" not in log
    assert "the catalog is away: connection" in log


async def told_of(
    session: aiohttp.ClientSession, method: str, path: str, headers: dict[str, str]
) -> tuple[aiohttp.ClientResponse, str]:
    """The answer, once the server does not believe what it knew a second ago."""
    data: Any = b"bytes" if method in ("PUT", "POST") else None
    async with asyncio.timeout(60):
        while True:
            async with session.request(method, path, data=data, headers=headers) as answer:
                text = await answer.text()
            if "storage nodes are live" not in text and "storage node is live" not in text:
                return answer, text
            await asyncio.sleep(0.2)
