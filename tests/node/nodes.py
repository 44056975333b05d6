"""A storage node in this process, so that the guard sees a blocked loop."""

import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from penstock.node import Node, Options, build_node, open_node
from penstock.server import make_runner


@dataclass
class NodeHere:
    """A running node, and a session that knows its secret.

    ``address`` is ``host:port``, ``folder`` is what ``--data`` names: the files lie in ``files``.
    """

    node: Node
    folder: Path
    address: str
    session: aiohttp.ClientSession

    @property
    def id(self) -> str:
        return self.node.id

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self.folder / "files" / name

    async def call(
        self, method: str, path: str, data: Any = None, **headers: str
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """Send a request; header names are written with underscores. Answers response and body."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = io.BytesIO(data) if isinstance(data, bytes) else data
        async with self.session.request(method, path, data=sent, headers=fields) as response:
            return response, await response.read()


@asynccontextmanager
async def running_node(
    folder: Path, secret: str = "", *, port: int = 0, **options: Any
) -> AsyncIterator[NodeHere]:
    """A node on ``folder`` and a free port of 127.0.0.1, which tells nobody that it is there."""
    given = Options(folder, secret=secret, port=port, **options)
    async with AsyncExitStack() as stack:
        node = await open_node(given)
        stack.push_async_callback(node.close)
        runner = make_runner(build_node(given, node))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        address = f"127.0.0.1:{runner.addresses[0][1]}"
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                f"http://{address}",
                headers={"Authorization": f"Bearer {secret}"} if secret else {},
                auto_decompress=False,
            )
        )
        yield NodeHere(node, folder, address, session)
