"""A node tells its locators that it lives."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from penstock.errors import BadRequest
from penstock.node import Announcing, Options, announcing, open_node
from penstock.server.serving import Traffic
from tests.eventually import eventually
from tests.node.asking import PART, put
from tests.node.locator import Locator, locating
from tests.node.nodes import NodeHere, running_node


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between tries, shortened: the tests are about what follows them."""
    monkeypatch.setattr(announcing, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(announcing, "LONGEST_PAUSE", 0.04)


@pytest.fixture
async def locator() -> AsyncIterator[Locator]:
    async with locating() as running:
        yield running


@asynccontextmanager
async def announced(
    node: NodeHere, *locators: str, traffic: Traffic | None = None, **options: Any
) -> AsyncIterator[None]:
    """The node, while it is announced every 50 ms."""
    given = Options(node.folder, locators=locators, **{"interval": 0.05, **options})
    telling = Announcing(given, node.node, traffic or Traffic(8))
    telling.start(node.port)
    try:
        yield
    finally:
        await telling.close()


@asynccontextmanager
async def answering(data: bytes) -> AsyncIterator[str]:
    """The URL of a server that answers so, whatever it is asked, and then nothing more."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"}")
        writer.write(data)

    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


def told(caplog: pytest.LogCaptureFixture, event: str) -> list[Any]:
    """The fields of the log lines about an event."""
    return [record.fields for record in caplog.records if record.message == event]  # type: ignore[attr-defined]


async def test_a_node_says_who_and_where_it_is_and_how_full(
    node: NodeHere, locator: Locator
) -> None:
    await put(node, "part-1", PART)
    async with announced(node, locator.url):
        said = (await locator.more())[0]

    assert set(said) == {
        "serviceId", "advertisedAddr", "timestamp", "storageSizeBytes", "capacity", "free",
        "cluster",
    }  # fmt: skip
    assert (said["serviceId"], said["advertisedAddr"]) == (node.id, node.address)
    assert said["storageSizeBytes"] == len(PART)
    assert 0 < said["free"] < said["capacity"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", said["timestamp"])
    age = datetime.now(UTC) - datetime.fromisoformat(said["timestamp"])
    assert -1 < age.total_seconds() < 60


async def test_it_says_so_again_and_again(node: NodeHere, locator: Locator) -> None:
    async with announced(node, locator.url):
        await locator.more(2)
        await put(node, "part-1", PART)
        await locator.more(2)
        last = locator.messages[-1]

    assert last["storageSizeBytes"] == len(PART)
    assert len({message["timestamp"] for message in locator.messages}) == len(locator.messages)


async def test_it_keeps_to_its_interval(node: NodeHere, locator: Locator) -> None:
    started = time.monotonic()
    async with announced(node, locator.url, interval=0.3):
        await locator.more(4)
        took = time.monotonic() - started

    assert took > 0.85


async def test_the_secret_goes_with_it(node: NodeHere, locator: Locator) -> None:
    async with announced(node, locator.url, secret="known"):
        await locator.more()
    async with announced(node, locator.url):
        await locator.more()

    assert [locator.authorizations[0], locator.authorizations[-1]] == ["Bearer known", None]


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "http://127.0.0.1:{}/", "http://localhost:{}"])
async def test_a_locator_is_named_in_several_ways(
    node: NodeHere, locator: Locator, form: str
) -> None:
    async with announced(node, form.format(locator.port)):
        await locator.more()


async def test_every_locator_is_told_whatever_the_others_do(
    node: NodeHere, locator: Locator
) -> None:
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(locating())
        async with locating() as gone:
            pass
        await stack.enter_async_context(announced(node, gone.url, locator.url, other.url))
        await locator.more(3)
        await other.more(3)


async def test_what_a_broken_locator_answers_holds_nothing_up(
    node: NodeHere, locator: Locator, caplog: pytest.LogCaptureFixture
) -> None:
    async with locating() as elsewhere, AsyncExitStack() as stack:
        answers = [
            b"",  # and silence
            b"garbage\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{",
            b"HTTP/1.1 500 No\r\nContent-Length: 100003\r\n\r\n\xff" + b"[" * 100_002,
            f"HTTP/1.1 307 There\r\nLocation: {elsewhere.url}/live\r\n"
            "Content-Length: 0\r\n\r\n".encode(),
        ]
        broken = [await stack.enter_async_context(answering(answer)) for answer in answers]
        async with announced(node, *broken, locator.url, secret="known"):
            await locator.more(10)

        assert elsewhere.messages == []
    assert "known" not in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_on_all_addresses_it_advertises_the_one_towards_the_locator(
    node: NodeHere, locator: Locator, host: str
) -> None:
    async with announced(node, locator.url, host=host):
        said = (await locator.more())[0]

    assert said["advertisedAddr"] == node.address


@pytest.mark.parametrize("address", ["node1:80", "http://node1:80", "[::1]:8201"])
async def test_another_address_can_be_advertised(
    node: NodeHere, locator: Locator, address: str
) -> None:
    async with announced(node, locator.url, host="0.0.0.0", advertise=address):
        said = (await locator.more())[0]

    assert said["advertisedAddr"] == address


async def test_it_goes_on_when_a_locator_comes_back(
    node: NodeHere, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "penstock")
    async with locating() as gone:
        port = gone.port
    async with announced(node, f"http://127.0.0.1:{port}"):
        assert await eventually(lambda: bool(told(caplog, "not announced")), seconds=20)
        async with locating(port) as back:
            await back.more(2)
        async with locating(port) as back_again:
            await back_again.more(2)

    assert told(caplog, "announced")


async def test_there_are_five_tries_with_growing_pauses(
    node: NodeHere, locator: Locator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(announcing, "LONGEST_PAUSE", 0.2)
    locator.status = 503
    times: list[float] = []
    async with announced(node, locator.url, interval=3600):
        for _ in range(5):
            await locator.more()
            times.append(time.monotonic())

        assert not await eventually(lambda: len(locator.messages) > 5, seconds=0.6)

    pauses = [after - before for before, after in pairwise(times)]
    assert all(
        pause > 0.8 * least for pause, least in zip(pauses, [0.05, 0.1, 0.2, 0.2], strict=True)
    )


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (401, {"detail": "send the secret"}, r"401: send the secret; PENSTOCK_CLUSTER_SECRET"),
        (409, {"detail": "another node has this id"}, r"409: another node has this id"),
        (500, None, r"it answers 500"),
    ],
)
async def test_a_refusal_is_logged_once_and_so_is_its_end(
    node: NodeHere,
    locator: Locator,
    caplog: pytest.LogCaptureFixture,
    status: int,
    said: dict[str, str] | None,
    reason: str,
) -> None:
    caplog.set_level(logging.INFO, "penstock")
    locator.status, locator.said = status, said
    async with announced(node, locator.url, secret="known"):
        await locator.more(8)
        locator.status, locator.said = 200, None
        await locator.more(3)

    [refused] = told(caplog, "not announced")
    assert refused["locator"] == locator.url
    assert re.search(reason, refused["reason"])
    assert "known" not in caplog.text
    assert len(told(caplog, "announced")) == 1


async def test_it_belongs_to_the_cluster_that_took_it_in_first(
    tmp_path: Path, locator: Locator
) -> None:
    locator.cluster, kept = str(uuid4()), tmp_path / "node" / "cluster-id"
    async with running_node(tmp_path / "node") as node, announced(node, locator.url):
        first = await locator.more(2)
    assert (await asyncio.to_thread(kept.read_text)).strip() == locator.cluster

    async with locating() as other, running_node(tmp_path / "node") as node:
        other.cluster = str(uuid4())
        async with announced(node, other.url):
            later = await other.more(3)

    assert [message["cluster"] for message in first] == ["", locator.cluster]
    assert {message["cluster"] for message in later} == {locator.cluster}
    assert (await asyncio.to_thread(kept.read_text)).strip() == locator.cluster


@pytest.mark.parametrize("status", [200, 409])
async def test_it_belongs_to_none_that_does_not_take_it_in_or_has_no_id(
    node: NodeHere, locator: Locator, status: int
) -> None:
    locator.status = status
    locator.cluster = "nonsense" if status == 200 else str(uuid4())
    async with announced(node, locator.url):
        said = await locator.more(3)

    assert {message["cluster"] for message in said} == {""}


async def test_who_leaves_is_not_announced(node: NodeHere, locator: Locator) -> None:
    traffic = Traffic(8)
    async with announced(node, locator.url, traffic=traffic):
        await locator.more()
        traffic.drain()
        before = len(locator.messages)

        # One may be under way.
        assert not await eventually(lambda: len(locator.messages) > before + 1, seconds=0.5)


@pytest.mark.parametrize(
    "locators",
    [["ftp://x"], ["http://"], ["http://user:secret@x"], ["http://x:port"], ["http://x/?a=b"]],
)
async def test_a_wrong_locator_is_told(tmp_path: Path, locators: Sequence[str]) -> None:
    with pytest.raises(BadRequest, match="locator"):
        await open_node(Options(tmp_path / "node", ("http://x", *locators)))

    assert not (tmp_path / "node").exists()


@pytest.mark.parametrize("address", ["node1", "node1:0", "node1:65536", "http://node1", "a b:1"])
async def test_a_wrong_address_is_told(tmp_path: Path, address: str) -> None:
    with pytest.raises(BadRequest, match="advertise"):
        await open_node(Options(tmp_path / "node", advertise=address))

    assert not (tmp_path / "node").exists()


async def test_a_node_without_locators_tells_nobody(tmp_path: Path) -> None:
    async with running_node(tmp_path / "node") as node, announced(node):
        assert node.id
