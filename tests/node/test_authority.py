"""Who may use a node."""

import json
from itertools import product
from pathlib import Path

import aiohttp
import pytest

from penstock.errors import BadRequest
from penstock.node import Options, open_node
from tests.node.asking import get, left_in, put
from tests.node.nodes import running_node

SECRET = "a-long-random-text"


HEADERS = [
    {},
    {"Authorization": ""},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer "},
    {"Authorization": "Bearer another"},
    {"Authorization": f"Bearer {SECRET}x"},
    {"Authorization": f"Bearer {SECRET[:-1]}"},
    {"Authorization": f"Basic {SECRET}"},
    {"Authorization": SECRET},
    {"Authorization": "Bearer é"},
]
REQUESTS = [
    ("PUT", "/files/part-1"),
    ("GET", "/files/part-1"),
    ("GET", "/files/missing"),
    ("DELETE", "/files/part-1"),
    ("GET", "/parts"),
    ("POST", "/check"),
    ("GET", "/nowhere"),
    ("PATCH", "/files/part-1"),
]


async def test_nothing_is_done_without_the_secret(tmp_path: Path) -> None:
    async with running_node(tmp_path / "node", SECRET) as node:
        await put(node, "part-1", b"data")
        told = set()
        async with aiohttp.ClientSession(node.url) as session:
            for headers, (method, path) in product(HEADERS, REQUESTS):
                async with session.request(method, path, headers=headers) as response:
                    assert response.status == 401, (headers, method, path)
                    assert response.headers["WWW-Authenticate"] == "Bearer"
                    told.add(await response.text())

        assert len(told) == 1
        assert list(json.loads(told.pop())) == ["error"]
        assert await get(node, "part-1") == b"data"
        assert left_in(node.folder) == ["part-1"]


async def test_everybody_may_ask_for_its_health(tmp_path: Path) -> None:
    async with (
        running_node(tmp_path / "node", SECRET) as node,
        aiohttp.ClientSession(node.url) as session,
        session.get("/health") as response,
    ):
        assert response.status == 200
        assert (await response.json())["id"] == node.id


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "node1"])
async def test_without_a_secret_only_this_host_is_served(tmp_path: Path, host: str) -> None:
    with pytest.raises(BadRequest, match="PENSTOCK_CLUSTER_SECRET"):
        await open_node(Options(tmp_path / "node", host=host))

    assert not (tmp_path / "node").exists()


@pytest.mark.parametrize("secret", ["two words", "line\n", "ключ"])
async def test_a_secret_must_fit_into_a_header(tmp_path: Path, secret: str) -> None:
    with pytest.raises(BadRequest, match="PENSTOCK_CLUSTER_SECRET") as caught:
        await open_node(Options(tmp_path / "node", secret=secret))

    assert secret not in str(caught.value)


def test_a_secret_is_not_shown() -> None:
    assert SECRET not in repr(Options(secret=SECRET))


async def test_a_request_for_another_node_is_refused(tmp_path: Path) -> None:
    async with running_node(tmp_path / "node", SECRET) as node:
        await put(node, "part-1", b"data", X_Penstock_Node=node.id)
        for method, path in [*REQUESTS, ("HEAD", "/files/part-1"), ("GET", "/health")]:
            response, body = await node.call(method, path, X_Penstock_Node="another")

            assert response.status == 421, (method, path)
            assert method == "HEAD" or list(json.loads(body)) == ["error"]

        assert await get(node, "part-1") == b"data"
        assert left_in(node.folder) == ["part-1"]
