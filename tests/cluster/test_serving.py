"""What clients are told before the head of an answer, where no node has the bytes."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest

from penstock.cluster.cluster import Cluster
from penstock.stores.interface import FileInfo
from tests.node.nodes import NodeHere, running_node
from tests.server.conftest import Api, StartApi, start_api
from tests.server.test_nodes import MESSAGE, become_live, cluster_of

__all__ = ["start_api"]


TEXT = b"the same again and again\n" * 1000


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[list[NodeHere]]:
    """Two nodes that nobody knows of yet."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running_node(tmp_path / f"node{number}"))
            for number in range(2)
        ]


@pytest.fixture
async def api(nodes: list[NodeHere], start_api: StartApi) -> Api:
    api = await start_api(store="cluster://", precompressed=True, cluster_dead_after=3600)
    told = {"capacity": 1 << 40, "free": 1 << 40}
    await become_live(
        api,
        *(
            MESSAGE | told | {"serviceId": node.id, "advertisedAddr": node.address}
            for node in nodes
        ),
    )
    return api


async def lose(cluster: Cluster, key: str) -> None:
    """Have the catalog say that no copy of a file is good."""
    shared = cluster.store.shared
    for part in await shared.files.parts((await shared.files.stat(key)).etag):
        for node in part.copies:
            await shared.copies.bad(part.file, part.number, node)


async def test_a_zip_with_a_member_without_copies_is_refused_before_its_head(
    api: Api, nodes: list[NodeHere]
) -> None:
    await api.put("d/empty", b"")
    await api.put("d/good", TEXT)
    await api.put("d/lost", TEXT)
    assert await api.get("/v1/zip?prefix=d/")
    await lose(cluster_of(api), "d/lost")

    for path in ("/v1/zip?prefix=d/", "/v1/zip?key=d/good&key=d/lost", "/v1/files/d/lost"):
        response, body = await api.call("GET", path)

        assert response.status == 503
        assert "d/lost" in json.loads(body)["detail"]
        assert not any(word in body.decode() for node in nodes for word in (node.id, node.address))

    assert await api.get("/v1/zip?key=d/good&key=d/empty")


async def test_what_only_a_silent_node_has_is_in_a_zip_if_it_answers(api: Api) -> None:
    await api.put("a", TEXT)
    members = cluster_of(api).members
    for node in await members.all():
        members.trouble(node.id)

    assert await api.get("/v1/zip?key=a")


async def test_a_coded_form_that_cannot_be_had_keeps_nobody_from_the_file(api: Api) -> None:
    await api.put("a.txt", TEXT)
    await api.put("a.txt.br", b"as if it were brotli")
    assert await api.get("/v1/files/a.txt", Accept_Encoding="br") == b"as if it were brotli"
    await lose(cluster_of(api), "a.txt.br")

    response, body = await api.call("GET", "/v1/files/a.txt", Accept_Encoding="br, identity;q=0")
    assert response.status == 200
    assert body != b"as if it were brotli"
    assert await api.get("/v1/files/a.txt", Accept_Encoding="identity") == TEXT


@pytest.mark.parametrize(("gone", "status"), [(1, 200), (2, 503)])
async def test_a_file_that_is_replaced_before_the_head_is_looked_at_once_more(
    api: Api, monkeypatch: pytest.MonkeyPatch, gone: int, status: int
) -> None:
    await api.put("a", TEXT)
    store, looks = cluster_of(api).store, 0
    stat = store.stat

    async def just_replaced(key: str) -> FileInfo:
        nonlocal looks
        looks += 1
        info = await stat(key)
        return info._replace(etag=str(uuid4())) if looks <= gone else info

    monkeypatch.setattr(store, "stat", just_replaced)

    response, body = await api.call("GET", "/v1/files/a", Accept_Encoding="identity")

    assert (response.status, looks) == (status, 2)
    assert body == TEXT if status == 200 else json.loads(body)["code"] == "unavailable"
