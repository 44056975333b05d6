"""``/files/{name}`` of a storage node."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.node.asking import LONG, MIB, PART, begun, crc32, get, left_in, put, used
from tests.node.nodes import NodeHere, running_node


@pytest.mark.parametrize("data", [b"", b"x", PART, LONG], ids=["empty", "x", "part", "long"])
async def test_what_is_put_is_there(node: NodeHere, data: bytes) -> None:
    told = await put(node, "part-1", data, x_penstock_crc32=crc32(data))

    size = len(data)
    assert told == {"fullSize": size, "success": True, "size": size, "crc32": crc32(data)}
    assert await get(node, "part-1") == data
    assert node.path("part-1").read_bytes() == data


async def test_the_length_need_not_be_known(node: NodeHere) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(PART), 100_000):
            yield PART[at : at + 100_000]

    told = await put(node, "part-1", pieces(), x_penstock_crc32=crc32(PART).upper())

    assert told["size"] == len(PART)
    assert await get(node, "part-1") == PART


async def test_a_put_replaces(node: NodeHere) -> None:
    await put(node, "part-1", PART)
    await put(node, "part-2", b"other")

    told = await put(node, "part-1", b"new")

    assert told["fullSize"] == len(b"new") + len(b"other") == await used(node)
    assert await get(node, "part-1") == b"new"


async def test_a_deleted_file_is_gone(node: NodeHere) -> None:
    await put(node, "part-1", PART)
    await put(node, "part-2", b"other")

    response, body = await node.call("DELETE", "/files/part-1")

    assert (response.status, json.loads(body)) == (200, {"fullSize": 5, "ok": True})
    assert left_in(node.folder) == ["part-2"]


async def test_deleting_what_is_not_there_is_no_error(node: NodeHere) -> None:
    response, body = await node.call("DELETE", "/files/part-1")

    assert (response.status, json.loads(body)) == (200, {"fullSize": 0, "ok": True})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_missing_file_is_told(node: NodeHere, method: str) -> None:
    response, body = await node.call(method, "/files/part-1")

    assert response.status == 404
    assert response.content_type == "application/json"
    if method == "GET":
        assert json.loads(body) == {"error": "file does not exist"}


async def test_ranges_and_validators(node: NodeHere) -> None:
    await put(node, "part-1", PART)

    head, nothing = await node.call("HEAD", "/files/part-1")
    some, body = await node.call("GET", "/files/part-1", range="bytes=1000-1000999")
    none, _ = await node.call("GET", "/files/part-1", if_none_match=head.headers["ETag"])
    beyond, why = await node.call("GET", "/files/part-1", range=f"bytes={len(PART)}-")

    assert (nothing, head.content_length) == (b"", len(PART))
    assert head.headers["Accept-Ranges"] == "bytes"
    assert (some.status, body) == (206, PART[1000:1_001_000])
    assert some.headers["Content-Range"] == f"bytes 1000-1000999/{len(PART)}"
    assert none.status == 304
    assert (beyond.status, list(json.loads(why))) == (416, ["error"])


async def test_another_version_has_another_etag(node: NodeHere) -> None:
    await put(node, "part-1", PART)
    first, _ = await node.call("HEAD", "/files/part-1")
    await put(node, "part-1", PART)
    second, _ = await node.call("HEAD", "/files/part-1")

    assert first.headers["ETag"] != second.headers["ETag"]


@pytest.mark.parametrize("data", [PART, LONG], ids=["part", "long"])
async def test_other_bytes_than_announced_are_not_kept(node: NodeHere, data: bytes) -> None:
    await put(node, "part-1", b"before")

    response, body = await node.call(
        "PUT", "/files/part-1", data, x_penstock_crc32=crc32(data[:-1] + b"!")
    )

    assert response.status == 400
    assert "CRC-32" in json.loads(body)["error"]
    assert await get(node, "part-1") == b"before"
    assert await used(node) == len(b"before")
    assert left_in(node.folder) == ["part-1"]


async def test_a_crc32_is_eight_digits(node: NodeHere) -> None:
    for value in ("", "0", "123456789", "1234567g", "-1234567", "0x123456"):
        response, body = await node.call("PUT", "/files/part-1", b"data", x_penstock_crc32=value)
        assert (response.status, list(json.loads(body))) == (400, ["error"]), value
    assert left_in(node.folder) == []


async def ask(node: NodeHere, method: str, name: str) -> bytes:
    """The answer to a request whose path is sent as it stands here."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    head = f"{method} /files/{name} HTTP/1.1\r\nHost: node\r\nContent-Length: 1\r\n"
    writer.write(f"{head}Connection: close\r\n\r\nx".encode())
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
async def test_what_is_no_name_is_refused(node: NodeHere, method: str) -> None:
    bad = [
        "", ".", "..", "%2e%2e", ".hidden", ".penstock", "a/b", "a%2Fb", "%2Fa", "../node-id",
        "..%2Fnode-id", "a%00b", "a%0Ab", "a%7F", "%FF", "x" * 256,
    ]  # fmt: skip

    answers = {name: await ask(node, method, name) for name in bad}

    wrong = {
        name: answer
        for name, answer in answers.items()
        if not answer.startswith(b"HTTP/1.1 400 ") or b'{"error": "' not in answer
    }
    assert wrong == {}
    assert left_in(node.folder) == []


async def test_what_is_a_name_is_taken(node: NodeHere) -> None:
    good = {"x": "x", "x" * 255: "x" * 255, "a..b": "a..b", "a%20b": "a b", "%D1%84": "ф"}

    answers = [await ask(node, "PUT", name) for name in good]

    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers), answers
    assert left_in(node.folder) == sorted(good.values())


async def test_other_methods_are_refused(node: NodeHere) -> None:
    for method in ("POST", "PATCH", "OPTIONS"):
        response, body = await node.call(method, "/files/part-1")

        assert response.status == 405
        assert {"GET", "HEAD", "PUT", "DELETE"} <= set(response.headers["Allow"].split(","))
        assert list(json.loads(body)) == ["error"]


async def test_a_part_of_a_file_cannot_be_put(node: NodeHere) -> None:
    response, _ = await node.call("PUT", "/files/part-1", b"data", content_range="bytes 0-3/8")

    assert response.status == 400
    assert left_in(node.folder) == []


@pytest.mark.parametrize("data", [PART, LONG], ids=["part", "long"])
async def test_a_body_that_is_cut_leaves_nothing(node: NodeHere, data: bytes) -> None:
    await put(node, "part-1", b"before")

    head = [f"Content-Length: {len(data)}"]
    async with begun(node.port, "part-1", head, data[:-MIB]):
        assert await eventually(lambda: len(left_in(node.folder)) == 2, seconds=20)

    assert await eventually(lambda: left_in(node.folder) == ["part-1"], seconds=20)
    assert await get(node, "part-1") == b"before"
    assert await used(node) == len(b"before")


async def test_a_chunked_body_without_its_end_leaves_nothing(node: NodeHere) -> None:
    chunk = b"%x\r\n%b\r\n" % (len(PART), PART)
    async with begun(node.port, "part-1", ["Transfer-Encoding: chunked"], chunk):
        assert await eventually(lambda: len(left_in(node.folder)) == 1, seconds=20)

    assert await eventually(lambda: left_in(node.folder) == [], seconds=20)


@pytest.mark.parametrize("data", [PART, LONG], ids=["part", "long"])
async def test_who_sends_nothing_more_is_given_up(tmp_path: Path, data: bytes) -> None:
    async with running_node(tmp_path / "node", stall_timeout=0.3) as node:
        head = [f"Content-Length: {len(data)}"]
        async with begun(node.port, "part-1", head, data[:-MIB]) as (reader, _):
            async with asyncio.timeout(30):
                answer = await reader.readuntil(b"\r\n")
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert left_in(node.folder) == []


async def test_many_at_once_are_counted_right(node: NodeHere) -> None:
    async def one(number: int) -> None:
        for size in (number * 1000, 7000, 12):
            await put(node, f"part-{number % 5}", bytes(size))
        if number % 5 == 0:
            await node.call("DELETE", f"/files/part-{number % 5}")

    async with asyncio.TaskGroup() as all_of_them:
        for number in range(20):
            all_of_them.create_task(one(number))

    there = [node.path(name).stat().st_size for name in left_in(node.folder)]
    assert await used(node) == sum(there)


async def test_who_is_refused_need_not_send_the_body(tmp_path: Path) -> None:
    async with running_node(tmp_path / "node", "secret") as node:
        head = ["Content-Length: 1000000", "Expect: 100-continue"]
        async with begun(node.port, "part-1", head, b"") as (reader, _):
            async with asyncio.timeout(30):
                answer = await reader.readuntil(b"\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")
