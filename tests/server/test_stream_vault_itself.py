"""The same requests to StreamVault itself, where it is installed, and to Penstock.

``PENSTOCK_STREAMVAULT`` names a checkout of github.com/Slacky300/StreamVault that was built; it
needs Redis. Only its API is asked here: its ``GET /job`` always fails.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.peers.server import PeerMissing
from bench.peers.streamvault import VARIABLE, StreamVault
from tests.s3.conftest import prefix, s3_server
from tests.s3.servers import S3Server
from tests.server.conftest import Api, StartApi

__all__ = ["prefix", "s3_server"]

pytestmark = pytest.mark.skipif(
    not os.environ.get(VARIABLE), reason=f"needs {VARIABLE} with a checkout of StreamVault"
)


@pytest.fixture
def stream_vault(s3_server: S3Server, tmp_path: Path) -> Iterator[StreamVault]:
    try:
        with StreamVault(s3_server, s3_server.endpoint, tmp_path / "stream_vault") as running:
            yield running
    except PeerMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
async def api(start_api: StartApi, s3_server: S3Server) -> Api:
    return await start_api(**s3_server.settings(""), worker=False)


async def answer(port: int, body: bytes) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"}
    url = f"http://127.0.0.1:{port}/create-job"
    async with aiohttp.request("POST", url, data=body, headers=headers) as response:
        document = json.loads(await response.read())
    document.pop("createdAt", None)
    return response.status, list(document.items())


async def test_both_give_the_same_answers(stream_vault: StreamVault, api: Api, prefix: str) -> None:
    await api.put(f"{prefix}/docs/a", bytes(1152))
    await api.put(f"{prefix}/docs/deep/b", bytes(900_000))
    await api.put(f"{prefix}/__outputs/c", bytes(1_100_000))
    folders = [f"{prefix}/docs", f"{prefix}/docs/", f"{prefix}/__outputs/", f"{prefix}/nö where"]
    bodies = [json.dumps({"s3Key": folder}).encode() for folder in folders]

    for body in (*bodies, bodies[0], b"{}", b"[]", b'{"s3Key": ""}', b'{"s3Key": null}'):
        theirs, ours = await asyncio.gather(
            answer(stream_vault.api_port, body), answer(api.port, body)
        )
        assert ours == theirs
