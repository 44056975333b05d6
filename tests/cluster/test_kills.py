"""``kill -9`` of a gateway at random moments, while files are stored on real nodes.

``PENSTOCK_TEST_KILLS_SEED`` repeats a trial as far as chance decides.
"""

import http.client
import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from penstock.cluster.making import LEASE
from tests.server import tus_blocking as tus
from tests.server.tus_speaking import metadata
from tests.serving import RunningNode, RunningServer

SECRET = "the-secret-of-the-tests"
MIB = 1 << 20
SIZES = [1000, 300_000, 3 * MIB + 1, 20 * MIB]
KILLS = 4
NODES = 3
SEED = int(os.environ.get("PENSTOCK_TEST_KILLS_SEED", "0")) or random.SystemRandom().getrandbits(32)

BROKEN = (OSError, http.client.HTTPException)
"""What becomes of a request whose server is killed."""
PASSING = {423, 503}
"""What a server says that has just been started: the upload is held by the one before it, or not
all nodes have said that they live."""


@dataclass
class Place:
    """The gateway and its nodes; ``gateway`` is another process after each kill."""

    folder: Path
    gateway: RunningServer
    nodes: list[RunningNode] = field(default_factory=list)

    def kill_gateway(self) -> None:
        port = self.gateway.port
        self.gateway.kill()
        self.gateway = start_gateway(self.folder, port)

    @property
    def on_disks(self) -> set[tuple[str, str]]:
        """The ids of nodes and the names of what lies on their disks, half files too."""
        return {
            (node.id, path.name)
            for node in self.nodes
            for path in (node.data / "files").rglob("*")
            if path.is_file() and path.name != "lock"
        }

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What the catalog answers; it may be changed too."""
        catalog = sqlite3.connect(self.folder / "gateway/catalog.sqlite", timeout=30)
        with closing(catalog), catalog:
            return catalog.execute(query).fetchall()

    def copies(self, *states: str) -> set[tuple[str, str]]:
        """As :attr:`on_disks`, of the copies of files that are seen, which stand like that."""
        query = "SELECT node, name, state FROM cluster_copies JOIN cluster_keys USING (file)"
        return {(str(node), str(name)) for node, name, state in self.rows(query) if state in states}


def start_gateway(folder: Path, port: int = 0) -> RunningServer:
    return RunningServer(
        folder / "gateway",
        store="cluster://",
        cluster_secret=SECRET,
        cluster_grace=1.0,
        port=port,
    )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path, start_gateway(tmp_path))

    def start(number: int) -> RunningNode:
        locator = place.gateway.url
        return RunningNode(tmp_path / f"node{number}", locator=locator, secret=SECRET)

    try:
        with ThreadPoolExecutor(NODES) as starting:
            place.nodes += starting.map(start, range(NODES))
        yield place
    finally:
        for process in (place.gateway, *place.nodes):
            process.kill()


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@dataclass
class Client:
    """Stores one version after the other under a key of its own; one that was acknowledged is
    there from then on, and of one that was not nobody knows."""

    place: Place = field(repr=False)
    number: int
    size: int
    acknowledged: int = 0
    tried: int = 0
    resumed: int = 0
    going: bool = True

    @property
    def key(self) -> str:
        return f"{type(self).__name__.lower()}-{self.number}"

    def version(self, number: int) -> bytes:
        return random.Random(f"{self.key} {number}").randbytes(self.size)

    def run(self) -> None:
        while self.going:
            self.tried += 1
            if self.store(self.version(self.tried)):
                self.acknowledged = self.tried
            else:
                time.sleep(0.1)

    def store(self, data: bytes) -> bool:
        """Whether it was acknowledged."""
        raise NotImplementedError

    def check(self) -> None:
        """That the last version that was acknowledged is seen, or one that was tried since."""
        found = tus.stored(self.place.gateway, self.key)
        numbers = range(max(1, self.acknowledged), self.tried + 1)
        allowed = [self.version(number) for number in numbers]
        assert (found is None and not self.acknowledged) or found in allowed, self.key


class Plain(Client):
    """``POST /upload``."""

    def store(self, data: bytes) -> bool:
        port = self.place.gateway.port
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            try:
                connection.request("POST", "/upload", data, {"X-File-Name": self.key})
                response = connection.getresponse()
                response.read()
            except BROKEN:
                return False
            assert response.status == 200 or response.status in PASSING
            return response.status == 200


class Session(Client):
    """An upload in three steps that is gone on with, whatever happens, until it is acknowledged."""

    def store(self, data: bytes) -> bool:
        url = None
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                url = url or self._begun(len(data))
                offset = self._offset(url) if url else None
                while offset is not None:
                    if offset == len(data):
                        return True
                    offset = self._send(url, offset, data)
            except BROKEN:
                pass
            time.sleep(0.1)
        raise AssertionError(f"the upload of {self.key} was never acknowledged")

    def _begun(self, size: int) -> str | None:
        told = {"Upload_Length": f"{size}", "Upload_Metadata": metadata(filename=self.key)}
        answer = tus.ask(self.place.gateway, "POST", "/v1/uploads", **told)
        assert answer.status == 201 or answer.status in PASSING
        return answer.headers["Location"]

    def _offset(self, url: str) -> int | None:
        answer = tus.ask(self.place.gateway, "HEAD", url)
        assert answer.status == 200 or answer.status in PASSING
        self.resumed += 1
        return int(answer.headers["Upload-Offset"]) if answer.status == 200 else None

    def _send(self, url: str | None, offset: int, data: bytes) -> int | None:
        assert url is not None
        stop = min(offset + -(-len(data) // 3), len(data))
        answer = tus.patch(self.place.gateway, url, offset, data[offset:stop])
        assert answer.status == 204 or answer.status in PASSING
        return int(answer.headers["Upload-Offset"]) if answer.status == 204 else None


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_gateway_that_is_killed_at_any_moment_loses_no_file_and_leaves_nothing(
    place: Place,
) -> None:
    chance = random.Random(SEED)
    wait_until(lambda: place.rows("SELECT count(*) FROM nodes") == [(NODES,)])
    clients = [kind(place, *size) for size in enumerate(SIZES) for kind in (Plain, Session)]

    with ThreadPoolExecutor(len(clients)) as pool:
        running = [pool.submit(client.run) for client in clients]
        try:
            for _ in range(KILLS):
                begun = sum(client.tried for client in clients)
                while sum(client.tried for client in clients) == begun:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0.0, 1.5))
                place.kill_gateway()
        finally:
            for client in clients:
                client.going = False
        for done in running:
            done.result()

    told = f"PENSTOCK_TEST_KILLS_SEED={SEED}: {clients}"
    for client in clients:
        client.check()
        assert client.acknowledged, told
    # What nobody goes on with ends with its lease; here that is over at once.
    longest = f"SELECT coalesce(max(due) - unixepoch('subsec'), 0) < {LEASE} FROM cluster_outbox"
    assert place.rows(longest) == [(1,)], told
    place.rows("UPDATE cluster_outbox SET due = 0")
    wait_until(lambda: place.rows("SELECT count(*) FROM cluster_outbox") == [(0,)])
    # One that was under way when its server was killed may be there; its file has another.
    assert place.copies("stored") <= place.on_disks <= place.copies("stored", "writing"), told
    for client in clients:
        client.check()
