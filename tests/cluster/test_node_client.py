"""What a node does is told as it is, and what it fails at is sorted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import pytest

from penstock.cluster.node_client import NodeClient
from penstock.cluster.trouble import Kind, NodeFailed
from penstock.errors import StorageFull
from tests.client.proxy import listening, proxy_to
from tests.node.nodes import NodeHere, running_node
from tests.s3.files import content

MIB = 1 << 20
DATA = content(3 * MIB + 5)
CRC32 = crc32(DATA)

Body = Callable[[], AsyncIterator[bytes]]


class At(NamedTuple):
    """Whatever listens at an address."""

    address: str
    id: str = "a-node"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[NodeHere]:
    async with running_node(tmp_path / "node", "secret") as node:
        yield node


@pytest.fixture
async def client() -> AsyncIterator[NodeClient]:
    client = NodeClient("secret", connect=5.0, silence=10.0)
    yield client
    await client.close()


@pytest.fixture
async def hasty() -> AsyncIterator[NodeClient]:
    """It does not wait for long."""
    client = NodeClient("secret", connect=5.0, silence=0.4)
    yield client
    await client.close()


def body(data: bytes = DATA) -> Body:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 100_000):
            yield data[at : at + 100_000]

    return pieces


async def store(client: NodeClient, node: NodeHere, name: str = "f-1") -> None:
    await client.put(node, name, len(DATA), CRC32, body())


async def listed(client: NodeClient, node: At) -> None:
    async with aclosing(client.parts(node)) as parts:
        async for _ in parts:
            pass


async def failure(kind: Kind, node: At | NodeHere, client: NodeClient) -> NodeFailed:
    with pytest.raises(NodeFailed) as raised:
        await client.put(node, "f-1", len(DATA), CRC32, body())
    assert raised.value.kind is kind
    return raised.value


async def test_what_is_put_can_be_got(client: NodeClient, node: NodeHere) -> None:
    kept = await client.put(node, "f-1", len(DATA), CRC32, body())

    assert kept == (len(DATA), CRC32)
    got = [data async for data in client.get(node, "f-1", 1000, 2 * MIB)]
    assert b"".join(got) == DATA[1000 : 2 * MIB]


async def test_a_node_may_be_named_by_a_url(client: NodeClient, node: NodeHere) -> None:
    await store(client, node)

    by_url = At(f"{node.url}/", node.id)

    got = [data async for data in client.get(by_url, "f-1", 0, len(DATA))]
    assert b"".join(got) == DATA


async def test_what_is_deleted_is_missing(client: NodeClient, node: NodeHere) -> None:
    await store(client, node)

    await client.delete(node, "f-1")
    await client.delete(node, "f-1")

    with pytest.raises(NodeFailed) as raised:
        await client.open(node, "f-1", 0, 1)
    assert raised.value.kind is Kind.MISSING


async def test_the_parts_of_a_node_are_listed(client: NodeClient, node: NodeHere) -> None:
    for name in ("b-1", "a-2", "a-1"):
        await store(client, node, name)

    every = [part async for part in client.parts(node)]
    later = [part.name async for part in client.parts(node, after="a-1")]

    assert every == [(name, len(DATA), CRC32) for name in ("a-1", "a-2", "b-1")]
    assert later == ["a-2", "b-1"]


async def test_a_node_reads_its_disk_again(client: NodeClient, node: NodeHere) -> None:
    await store(client, node)
    changed = b"x" + DATA[1:]
    await asyncio.to_thread(node.path("f-1").write_bytes, changed)

    found = [checked async for checked in client.check(node, ["f-1", "none"])]

    assert found == [("f-1", len(DATA), crc32(changed)), ("none", None, None)]
    assert [checked.missing for checked in found] == [False, True]


async def test_other_bytes_than_were_meant_are_not_kept(client: NodeClient, node: NodeHere) -> None:
    with pytest.raises(NodeFailed) as raised:
        await client.put(node, "f-1", len(DATA), CRC32 ^ 1, body())

    assert raised.value.kind is Kind.BAD
    assert [part async for part in client.parts(node)] == []


async def test_a_part_that_became_shorter_is_bad(client: NodeClient, node: NodeHere) -> None:
    await store(client, node)
    await asyncio.to_thread(node.path("f-1").write_bytes, DATA[:1000])

    for start in (0, 2000):
        with pytest.raises(NodeFailed) as raised:
            await client.open(node, "f-1", start, len(DATA))
        assert raised.value.kind is Kind.BAD


async def test_a_wrong_secret_is_refused(node: NodeHere) -> None:
    stranger = NodeClient("guessed")

    await failure(Kind.REFUSED, node, stranger)

    await stranger.close()


async def test_another_node_at_the_address_is_not_the_one_that_was_meant(
    client: NodeClient, node: NodeHere
) -> None:
    await store(client, node)
    gone = At(node.address, "another-node")

    await failure(Kind.UNREACHABLE, gone, client)
    for ask in (
        client.open(gone, "f-1", 0, 1),
        client.delete(gone, "f-1"),
        client.health(gone),
        listed(client, gone),
        anext(client.check(gone, ["f-1"])),
    ):
        with pytest.raises(NodeFailed, match="421: this is another node") as raised:
            await ask
        assert raised.value.kind is Kind.UNREACHABLE

    assert [part.name async for part in client.parts(node)] == ["f-1"]


async def test_nobody_listens(client: NodeClient) -> None:
    async with listening(lambda *_: asyncio.sleep(0)) as url:
        pass

    await failure(Kind.UNREACHABLE, At(url), client)


async def test_a_full_node_says_so_before_the_body_is_sent(client: NodeClient) -> None:
    answer = b'HTTP/1.1 507 Full\r\nContent-Length: 17\r\n\r\n{"error": "full"}'
    read = 0

    async def full(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal read
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        read = len(await reader.read())

    async with listening(full) as url:
        failed = await failure(Kind.FULL, At(url), client)

    assert failed.reason == "it answers 507: full"
    assert read == 0


async def test_a_node_that_does_not_answer_is_given_up(hasty: NodeClient) -> None:
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with listening(silent) as url:
        await failure(Kind.UNREACHABLE, At(url), hasty)
        with pytest.raises(NodeFailed) as raised:
            await hasty.open(At(url), "f-1", 0, 1)

    assert raised.value.kind is Kind.UNREACHABLE


async def test_a_node_that_takes_no_more_bytes_is_given_up(
    hasty: NodeClient, node: NodeHere
) -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(MIB)
        finally:
            ended.set()

    async with proxy_to(node.url) as proxy:
        proxy.stall_requests = [2 * MIB]
        with pytest.raises(NodeFailed) as raised:
            await hasty.put(At(proxy.url, node.id), "f-1", 1 << 30, None, endless)

    assert raised.value.kind is Kind.UNREACHABLE
    assert ended.is_set()


async def test_the_time_of_the_body_is_not_the_nodes(hasty: NodeClient, node: NodeHere) -> None:
    async def slow() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.6)
        yield DATA[:MIB]
        await asyncio.sleep(0.6)
        yield DATA[MIB:]

    kept = await hasty.put(node, "f-1", len(DATA), CRC32, slow)

    assert kept.crc32 == CRC32


async def test_a_body_that_fails_is_no_fault_of_the_node(
    client: NodeClient, node: NodeHere
) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield DATA[:MIB]
        raise StorageFull("no room to wait in")

    with pytest.raises(StorageFull, match="no room to wait in"):
        await client.put(node, "f-1", len(DATA), None, failing)


async def test_who_is_cancelled_leaves_no_reader_of_the_body(
    client: NodeClient, node: NodeHere
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        try:
            yield DATA[:MIB]
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    putting = asyncio.create_task(client.put(node, "f-1", len(DATA), None, stuck))
    await begun.wait()
    putting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await putting
    assert ended.is_set()


async def test_a_kept_connection_that_the_node_had_closed_is_no_failure(
    client: NodeClient, tmp_path: Path
) -> None:
    async with running_node(tmp_path / "node", "secret") as node:
        await store(client, node)
        port = node.port
    tries = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal tries
        tries += 1
        yield DATA

    async with running_node(tmp_path / "node", "secret", port=port) as node:
        kept = await client.put(node, "f-2", len(DATA), CRC32, counted)

    assert kept.crc32 == CRC32
    assert tries <= 2


async def test_bytes_that_break_off_are_told(client: NodeClient, node: NodeHere) -> None:
    await store(client, node)
    async with proxy_to(node.url) as proxy:
        proxy.cut_answers = [MIB]
        with pytest.raises(NodeFailed) as raised:
            async for _ in client.get(At(proxy.url, node.id), "f-1", 0, len(DATA)):
                pass

    assert raised.value.kind is Kind.UNREACHABLE


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (b'{"name": "a", "size": 1, "crc32": null}\n', Kind.UNREACHABLE),
        (b"", Kind.UNREACHABLE),
        (b"{]\n", Kind.REFUSED),
        (b"[1]\n", Kind.REFUSED),
        (b'{"name": 1}\n', Kind.REFUSED),
        (b'{"name": "a", "size": 1, "crc32": "x"}\n', Kind.REFUSED),
        (b'"' + bytes(MIB), Kind.REFUSED),
    ],
)
async def test_a_list_that_has_no_end_is_not_taken_for_one(
    client: NodeClient, lines: bytes, kind: Kind
) -> None:
    async def lists(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(lines), lines))
        await reader.read()

    async with listening(lists) as url:
        with pytest.raises(NodeFailed) as raised:
            await listed(client, At(url))

    assert raised.value.kind is kind


async def test_another_range_than_was_asked_for_is_not_taken(client: NodeClient) -> None:
    head = b"HTTP/1.1 206 Partial\r\nContent-Length: 1\r\nContent-Range: bytes 1-1/2\r\n\r\nx"

    async def wrong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        await reader.read()

    async with listening(wrong) as url:
        with pytest.raises(NodeFailed) as raised:
            await client.open(At(url), "f-1", 0, 1)

    assert raised.value.kind is Kind.BAD


async def test_a_head_that_comes_byte_by_byte_is_not_waited_for() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"HTTP/1.1 206 Partial Content\r\nX-Long: " + 10_000 * b"x":
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)

    client = NodeClient(connect=1.0, silence=1.0)
    async with listening(trickle) as url, asyncio.timeout(30):
        with pytest.raises(NodeFailed) as raised:
            await client.open(At(url), "f-1", 0, 5)
    await client.close()

    assert raised.value.kind is Kind.UNREACHABLE


async def test_an_answer_that_should_be_short_is_not_read_for_ever(client: NodeClient) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(MIB))
            await writer.drain()

    async with listening(flood) as url, asyncio.timeout(30):
        for ask in (client.health(At(url)), client.delete(At(url), "f-1")):
            with pytest.raises(NodeFailed) as raised:
                await ask
            assert raised.value.kind is Kind.REFUSED


async def test_the_secret_goes_nowhere_else_than_to_the_node(client: NodeClient) -> None:
    async with proxy_to("http://127.0.0.1:1") as elsewhere:
        answer = f"HTTP/1.1 307 Go\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer.encode())
            await writer.drain()

        async with listening(redirect) as url:
            for ask in (client.open(At(url), "f-1", 0, 5), client.delete(At(url), "f-1")):
                with pytest.raises(NodeFailed) as raised:
                    await ask
                assert raised.value.kind is Kind.REFUSED

        assert elsewhere.connections == 0
