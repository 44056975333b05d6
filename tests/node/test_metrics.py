"""``GET /metrics`` of a storage node."""

from pathlib import Path

from tests.node.nodes import NodeHere, running_node
from tests.server.scraping import Scrape

SECRET = "a-secret-that-is-long-enough"


async def test_a_node_counts_what_it_takes_and_gives(tmp_path: Path) -> None:
    async with running_node(tmp_path / "node") as node:
        await put(node, b"12345")
        await node.call("GET", "/files/a")

        _, body = await node.call("GET", "/metrics")

    seen = Scrape(body.decode())
    assert seen.value("penstock_transfer_bytes_total", direction="in") == 5
    assert seen.value("penstock_http_requests_total", route="/files/{name}", method="GET") == 1
    assert seen.value("process_resident_memory_bytes") > 0


async def test_they_are_for_those_who_know_the_secret(tmp_path: Path) -> None:
    async with running_node(tmp_path / "node", SECRET) as node:
        known, _ = await node.call("GET", "/metrics")
        unknown, _ = await node.call("GET", "/metrics", Authorization="Bearer wrong")

    assert (known.status, unknown.status) == (200, 401)


async def put(node: NodeHere, data: bytes) -> None:
    response, _ = await node.call("PUT", "/files/a", data)
    assert response.status in (200, 201)
