"""What a node says it has, and what it really has."""

import json
import os
from pathlib import Path

import aiohttp
import pytest

from penstock.node import listing, shelf
from tests.descriptors import no_descriptors
from tests.node.asking import LONG, PART, crc32, lines, put, used
from tests.node.nodes import NodeHere, running_node


async def test_every_file_is_listed_in_order_of_names(node: NodeHere) -> None:
    names = ["b-10", "b-2", "a", "ф", "\U0001f600", "B", "a-1"]
    for name in names:
        await put(node, name, name.encode())

    found = await lines(node, "GET", "/parts")

    assert [line["name"] for line in found] == sorted(names, key=str.encode)
    assert {line["name"]: (line["size"], line["crc32"]) for line in found} == {
        name: (len(name.encode()), crc32(name.encode())) for name in names
    }


async def test_a_listing_goes_on_after_a_name(node: NodeHere) -> None:
    for name in ("a", "b", "c"):
        await put(node, name, b"x")

    found = await lines(node, "GET", "/parts?after=a")

    assert [line["name"] for line in found] == ["b", "c"]


@pytest.mark.parametrize("count", [63, 70, 71])
async def test_a_listing_has_page_after_page(
    node: NodeHere, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(listing, "PAGE", 7)
    monkeypatch.setattr(shelf, "_BATCH", 3)
    names = [f"part-{number:02}" for number in range(count)]
    for name in reversed(names):
        node.path(name).write_bytes(b"x")

    found = await lines(node, "GET", "/parts?after=part-00")

    assert [line["name"] for line in found] == names[1:]


async def test_what_no_request_can_name_is_not_listed(tmp_path: Path) -> None:
    """Who is told of it would try to remove it, for ever."""
    files = tmp_path / "node" / "files"
    (files / "folder").mkdir(parents=True)
    for name in (b"folder/part-1", b".hidden", b"line\n", b"\xff", b"part-1"):
        Path(os.fsdecode(os.fsencode(files) + b"/" + name)).write_bytes(b"data")
    (files / "link").symlink_to("part-1")

    async with running_node(tmp_path / "node") as node:
        assert [line["name"] for line in await lines(node, "GET", "/parts")] == ["part-1"]
        assert await used(node) == len(b"data")
        assert await lines(node, "POST", "/check", {"names": ["link", "folder"]}) == [
            {"name": "link", "missing": True},
            {"name": "folder", "missing": True},
        ]


async def test_an_empty_node_lists_nothing(node: NodeHere) -> None:
    assert await lines(node, "GET", "/parts") == []


async def test_a_file_that_came_another_way_has_no_crc32_yet(node: NodeHere) -> None:
    node.path("part-1").write_bytes(b"copied here")

    assert await lines(node, "GET", "/parts") == [{"name": "part-1", "size": 11, "crc32": None}]


async def test_a_check_reads_what_is_on_the_disk(node: NodeHere) -> None:
    await put(node, "part-1", PART)
    await put(node, "part-2", LONG)

    found = await lines(node, "POST", "/check", {"names": ["part-2", "part-3", "part-1"]})

    assert found == [
        {"name": "part-2", "size": len(LONG), "crc32": crc32(LONG)},
        {"name": "part-3", "missing": True},
        {"name": "part-1", "size": len(PART), "crc32": crc32(PART)},
    ]


async def test_a_check_finds_a_flipped_bit(node: NodeHere) -> None:
    await put(node, "part-1", PART)
    status = node.path("part-1").stat()
    with node.path("part-1").open("r+b") as file:
        file.seek(1_000_000)
        file.write(bytes([PART[1_000_000] ^ 4]))
    # A disk that goes bad changes no time.
    os.utime(node.path("part-1"), ns=(status.st_atime_ns, status.st_mtime_ns))

    listed = await lines(node, "GET", "/parts")
    checked = await lines(node, "POST", "/check", {"names": ["part-1"]})

    assert [line["crc32"] for line in listed] == [crc32(PART)]
    assert [line["crc32"] for line in checked] == [crc32(node.path("part-1").read_bytes())]
    assert checked != listed


async def test_a_check_finds_a_file_that_is_cut(node: NodeHere) -> None:
    await put(node, "part-1", PART)
    os.truncate(node.path("part-1"), 1000)

    found = await lines(node, "POST", "/check", {"names": ["part-1"]})

    assert found == [{"name": "part-1", "size": 1000, "crc32": crc32(PART[:1000])}]


async def test_a_file_that_cannot_be_opened_is_not_told_to_be_missing(node: NodeHere) -> None:
    """Its copies would be made anew, and it would be removed."""
    await put(node, "part-1", PART)

    with no_descriptors():
        response, _ = await node.call("GET", "/files/part-1")
        with pytest.raises(aiohttp.ClientPayloadError):
            await node.call("POST", "/check", b'{"names": ["part-1"]}')

    assert response.status == 500


async def test_a_check_says_what_it_does_not_understand(node: NodeHere) -> None:
    bodies = [
        b"", b"{", b"[]", b"{}", b"null", b'{"names": "part-1"}', b'{"names": [1]}',
        b'{"names": ["../node-id"]}', b'{"names": [""]}', b'{"names": ["\\ud800"]}', b"\xff",
        b"[" * 100_000,
    ]  # fmt: skip
    for body in bodies:
        response, told = await node.call("POST", "/check", body)
        assert (response.status, list(json.loads(told))) == (400, ["error"]), body


async def test_a_check_has_a_limit(node: NodeHere) -> None:
    response, _ = await node.call("POST", "/check", bytes(5 << 20))

    assert response.status == 413
