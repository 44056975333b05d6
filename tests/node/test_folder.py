"""A node's folder: who it is, one process, what was left in it."""

import json
import os
from pathlib import Path
from uuid import UUID

import pytest

from penstock.errors import Busy, WrongState
from penstock.node import Options, open_node
from tests.node.asking import PART, get, left_in, lines, put, used
from tests.node.nodes import NodeHere, running_node


async def test_health_tells_who_it_is_and_how_full(node: NodeHere) -> None:
    await put(node, "part-1", PART)

    response, body = await node.call("GET", "/health")
    told = json.loads(body)
    disk = os.statvfs(node.folder)

    assert response.status == 200
    assert set(told) == {"status", "id", "capacity", "free", "used"}
    assert (told["status"], told["id"], told["used"]) == ("ok", node.id, len(PART))
    assert told["capacity"] == disk.f_blocks * disk.f_frsize
    assert 0 < told["free"] < told["capacity"]


async def test_a_node_stays_who_it_is_and_keeps_what_it_has(tmp_path: Path) -> None:
    async with running_node(tmp_path / "node") as first:
        await put(first, "part-1", PART)
        listed = await lines(first, "GET", "/parts")
    async with running_node(tmp_path / "node") as again:
        assert again.id == first.id == str(UUID(first.id))
        assert await get(again, "part-1") == PART
        assert await used(again) == len(PART)
        assert await lines(again, "GET", "/parts") == listed
    async with running_node(tmp_path / "other") as other:
        assert other.id != first.id


async def test_an_identity_that_cannot_be_read_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "node-id").write_text("nobody")

    with pytest.raises(WrongState, match="does not hold a node's identity"):
        await open_node(Options(tmp_path))

    assert (tmp_path / "node-id").read_text() == "nobody"


async def test_a_new_folder_outlasts_a_crash_with_all_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    fsync = os.fsync

    def note(fd: int) -> None:
        fsync(fd)
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))

    monkeypatch.setattr(os, "fsync", note)
    async with running_node(tmp_path / "disk" / "node"):
        assert {str(tmp_path), str(tmp_path / "disk")} <= set(synced)


async def test_two_nodes_do_not_share_a_folder(node: NodeHere) -> None:
    with pytest.raises(Busy, match="another storage node works in"):
        await open_node(Options(node.folder))

    await put(node, "part-1", b"data")


async def test_what_was_on_its_way_is_swept_away(tmp_path: Path) -> None:
    async with running_node(tmp_path / "node") as node:
        await put(node, "part-1", b"data")
    left = tmp_path / "node" / "files" / ".penstock" / "incoming" / "left.part"
    left.write_bytes(PART)

    async with running_node(tmp_path / "node") as node:
        assert left_in(node.folder) == ["part-1"]
        assert await used(node) == len(b"data")
