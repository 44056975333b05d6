"""The integration test of s3testcase, step by step, on real processes: a gateway, PostgreSQL and
six nodes, with one copy of each part as there; and what that test did not try."""

import hashlib
import http.client
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen
from uuid import UUID, uuid4

import psycopg
import pytest

from tests.catalog.conftest import postgres
from tests.cli.running import Cli
from tests.serving import RunningNode, RunningServer

__all__ = ["postgres"]

SECRET = "the-secret-of-the-tests"
ODD = 5_000_003
PARTS_OF_ODD = [833_334] * 5 + [833_333]
NODES = 6
DEAD_AFTER = 6.0
PIECE = 1 << 20


class Stream:
    """``size`` bytes that are made while they are read, the same ones for the same ``seed``."""

    def __init__(self, size: int, seed: int) -> None:
        self._block = random.Random(seed).randbytes(PIECE)
        self.size = size
        self.sha256 = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for number in range(-(-self.size // PIECE)):
            mark = number.to_bytes(8, "big")
            piece = (mark + self._block[8:])[: self.size - number * PIECE]
            self.sha256.update(piece)
            yield piece


@dataclass(frozen=True)
class Answer:
    """``whole`` if as many bytes came as were announced; ``sha256`` is of those that came."""

    status: int
    headers: HTTPMessage
    text: str
    size: int
    sha256: str
    whole: bool


@dataclass
class Processes:
    """A cluster of processes; ``database`` is its PostgreSQL."""

    gateway: RunningServer
    nodes: list[RunningNode]
    database: str

    def call(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, on a connection of its own."""
        place = urlsplit(self.gateway.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=100)
        digest, size, first, whole = hashlib.sha256(), 0, b"", True
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            try:
                while data := response.read(PIECE):
                    digest.update(data)
                    size += len(data)
                    first = first or data[:1000]
            except (http.client.IncompleteRead, ConnectionError):
                whole = False
            told = response.headers.get("Content-Length")
            whole = whole and (told is None or int(told) == size)
            text = first.decode(errors="replace") if response.status != 200 else ""
            return Answer(response.status, response.headers, text, size, digest.hexdigest(), whole)
        finally:
            connection.close()

    def upload(self, name: str, stream: Stream) -> Answer:
        headers = {"X-File-Name": name, "Content-Length": str(stream.size)}
        return self.call("POST", "/upload", iter(stream), headers)

    def download(self, name: str) -> Answer:
        return self.call("GET", f"/files/{name}")

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers."""
        with psycopg.connect(self.database) as connection:
            return connection.execute(query.encode(), values).fetchall()

    def files(self, name: str) -> list[str]:
        """The ids of all versions of a file that the database knows."""
        return [row[0] for row in self.rows("SELECT id FROM cluster_files WHERE key = %s", name)]

    def on_disks(self, file: str) -> dict[str, int]:
        """The parts of a file on the nodes' disks, and their sizes."""
        return {
            path.name: path.stat().st_size
            for node in self.nodes
            for path in (node.data / "files").glob(f"{file}-*")
        }

    def everything_on_disks(self) -> set[str]:
        return {
            path.name
            for node in self.nodes
            for path in (node.data / "files").iterdir()
            if path.is_file()
        }

    def holder(self, part: str) -> RunningNode:
        """The node that has a part."""
        (row,) = self.rows("SELECT node FROM cluster_copies WHERE name = %s", part)
        return next(node for node in self.nodes if node.id == row[0])

    def overview(self) -> dict[str, Any]:
        """What the gateway tells of its nodes."""
        with urlopen(f"{self.gateway.url}/v1/nodes", timeout=100) as answer:
            told: dict[str, Any] = json.load(answer)
        return told

    def live(self) -> int:
        """How many nodes are."""
        return int(self.overview()["live"])

    def state_of(self, node: RunningNode) -> str:
        return next(str(one["state"]) for one in self.overview()["nodes"] if one["id"] == node.id)

    def noted(self, method: str, path: str) -> list[dict[str, Any]]:
        """The lines of the gateway's log on requests that went well."""
        lines = self.gateway.log.read_text().splitlines()
        noted = [json.loads(line) for line in lines if line.startswith("{")]
        asked = {"method": method, "path": path, "status": 200}
        return [one for one in noted if asked.items() <= one.items()]


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def start_gateway(folder: Path, postgres: str, **options: object) -> Processes:
    """A gateway on an empty database, and no nodes."""
    name = f"s3testcase_{uuid4().hex}"
    with psycopg.connect(postgres.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    catalog = postgres.rpartition("/")[0] + f"/{name}"
    settings: dict[str, object] = {
        "store": "cluster://",
        "catalog": catalog,
        "cluster_secret": SECRET,
        "cluster_min_nodes": NODES,
        "cluster_replicas": 1,
        "cluster_grace": 1.0,
        "cluster_dead_after": DEAD_AFTER,
    }
    gateway = RunningServer(folder / "gateway", **(settings | options))
    return Processes(gateway, [], catalog.replace("+psycopg", ""))


@pytest.fixture
def cluster(processes: Processes) -> Processes:
    """Six live nodes; use names that no other test uses, and leave the nodes as they were."""
    wait_until(lambda: processes.live() == NODES)
    return processes


@pytest.fixture(scope="module")
def processes(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """One cluster for all tests here."""
    folder = tmp_path_factory.mktemp("s3testcase")
    processes = start_gateway(folder, postgres)

    def start(number: int) -> RunningNode:
        locator = processes.gateway.url
        return RunningNode(folder / f"node{number}", locator=locator, secret=SECRET)

    try:
        with ThreadPoolExecutor(NODES) as starting:
            processes.nodes = list(starting.map(start, range(NODES)))
        yield processes
        assert processes.gateway.stop() == 0
    finally:
        for process in (processes.gateway, *processes.nodes):
            process.kill()


@pytest.mark.parametrize(
    "size",
    [ODD, 64 << 20, pytest.param(1 << 30, marks=[pytest.mark.slow, pytest.mark.timeout(300)])],
)
def test_the_integration_test_of_s3testcase(cluster: Processes, size: int) -> None:
    name = f"stream-{size}.bin"
    stream = Stream(size, seed=size)

    # 1. Upload a generated stream.
    put = cluster.upload(name, stream)
    assert (put.status, put.size) == (200, 0)

    # 2. The rows: one file, six parts, sizes that add up.
    (file,) = cluster.files(name)
    assert str(UUID(file)) == file
    ((stored, processed),) = cluster.rows(
        "SELECT size, processed IS NOT NULL FROM cluster_files WHERE id = %s", file
    )
    assert (stored, processed) == (size, True)
    parts = cluster.rows(
        "SELECT number, size FROM cluster_parts WHERE file = %s ORDER BY number", file
    )
    assert [number for number, _ in parts] == [1, 2, 3, 4, 5, 6]
    assert sum(part for _, part in parts) == size
    assert size != ODD or [part for _, part in parts] == PARTS_OF_ODD
    copies = cluster.rows("SELECT name, state FROM cluster_copies WHERE file = %s", file)
    assert sorted(copies) == [(f"{file}-{number}", "stored") for number in range(1, 7)]

    # 3. The part files on the nodes, where the rows say.
    assert cluster.on_disks(file) == {f"{file}-{number}": part for number, part in parts}
    for number, part in parts:
        holder = cluster.holder(f"{file}-{number}")
        assert holder.path(f"{file}-{number}").stat().st_size == part

    # 4. Download it: the same bytes.
    got = cluster.download(name)
    assert (got.status, got.whole, got.size) == (200, True, size)
    assert got.sha256 == stream.sha256.hexdigest()
    assert got.headers["Content-Disposition"] == f'attachment; filename="{name}"'

    # 5. The log.
    wait_until(lambda: cluster.noted("GET", f"/files/{name}") != [])
    assert [one["sent"] for one in cluster.noted("GET", f"/files/{name}")] == [size]
    assert size in [one["received"] for one in cluster.noted("POST", "/upload")]

    # And what the program there could not: have it go.
    assert cluster.call("DELETE", f"/v1/files/{name}").status == 204
    wait_until(lambda: cluster.on_disks(file) == {} and cluster.files(name) == [])


def test_the_console_client_on_a_cluster(cluster: Processes, tmp_path: Path) -> None:
    penstock = Cli(cluster.gateway.url, tmp_path)
    (tmp_path / "v1.mp4").write_bytes(random.Random(1).randbytes(ODD))

    put = penstock("upload", "-f", "v1.mp4")
    got = penstock("download", "-n", "v1.mp4", "-o", "copy")

    assert (put.code, got.code) == (0, 0)
    assert put.lines[1:4] == got.lines[3:6]
    assert got.lines[3] == "Size: 5,000,003 bytes"
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "v1.mp4").read_bytes()


def test_of_two_versions_the_newest_is_served_and_the_old_one_is_cleaned(
    cluster: Processes,
) -> None:
    old, new = Stream(ODD, seed=1), Stream(ODD + 1000, seed=2)
    cluster.upload("versions", old)
    (first,) = cluster.files("versions")

    assert cluster.upload("versions", new).status == 200

    assert cluster.download("versions").sha256 == new.sha256.hexdigest()
    wait_until(lambda: cluster.on_disks(first) == {})
    wait_until(lambda: len(cluster.files("versions")) == 1)
    assert cluster.files("versions") != [first]
    assert cluster.rows("SELECT * FROM cluster_copies WHERE file = %s", first) == []
    assert cluster.rows("SELECT * FROM cluster_outbox WHERE file = %s", first) == []
    assert cluster.download("versions").sha256 == new.sha256.hexdigest()


def test_a_first_upload_that_breaks_off_leaves_no_orphans(cluster: Processes) -> None:
    before = cluster.everything_on_disks()
    place = urlsplit(cluster.gateway.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    connection.putrequest("POST", "/upload")
    connection.putheader("X-File-Name", "broken-off")
    connection.putheader("Content-Length", str(ODD))
    connection.endheaders()
    connection.send(random.Random(3).randbytes(3_000_000))
    wait_until(lambda: bool(cluster.everything_on_disks() - before))

    connection.close()

    wait_until(lambda: cluster.files("broken-off") == [])
    wait_until(lambda: not cluster.everything_on_disks() - before)
    assert cluster.download("broken-off").status == 404


def test_a_node_that_is_down_gives_a_clean_error_until_it_is_back(
    cluster: Processes, tmp_path: Path
) -> None:
    stream = Stream(ODD, seed=4)
    cluster.upload("down", stream)
    (file,) = cluster.files("down")
    node = cluster.holder(f"{file}-3")
    at, port = cluster.nodes.index(node), node.port
    node.kill()
    try:
        # At first nobody knows, so an answer may begin; it never looks whole.
        early = cluster.download("down")
        wait_until(lambda: cluster.state_of(node) == "dead")
        wait_until(lambda: cluster.upload("until", Stream(1000, seed=5)).status == 503)
        refused = cluster.upload("refused", Stream(1000, seed=5))
        settled = cluster.download("down")
        ran = Cli(cluster.gateway.url, tmp_path)(
            "download", "-n", "down", "-o", "copy", "--tries", "1"
        )
    finally:
        cluster.nodes[at] = RunningNode(
            node.data, port=port, locator=cluster.gateway.url, secret=SECRET
        )
        wait_until(lambda: cluster.state_of(node) == "live")

    assert early.status == 503 or not early.whole
    assert settled.status == 503
    assert settled.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "127.0.0.1" not in settled.text
    assert ran.code == 5
    assert "server returned status 503" in ran.err
    assert list(tmp_path.glob("copy*")) == []
    assert refused.text.startswith("5 of 6 storage nodes are live")
    assert cluster.files("refused") == []
    back = cluster.download("down")
    assert (back.status, back.sha256) == (200, stream.sha256.hexdigest())


def test_a_flipped_byte_is_never_given_for_the_file(cluster: Processes, tmp_path: Path) -> None:
    cluster.upload("flipped", Stream(ODD, seed=6))
    (file,) = cluster.files("flipped")
    part = cluster.holder(f"{file}-4").path(f"{file}-4")
    with part.open("r+b") as disk:
        disk.seek(100_000)
        byte = disk.read(1)[0]
        disk.seek(100_000)
        disk.write(bytes([byte ^ 0xFF]))

    ran = Cli(cluster.gateway.url, tmp_path)(
        "download", "-n", "flipped", "-o", "copy", "--tries", "2"
    )
    got = cluster.download("flipped")

    assert ran.code == 5
    assert not (tmp_path / "copy").exists()
    assert got.status == 503 or not got.whole


def test_without_nodes_uploads_are_refused_with_the_count(postgres: str, tmp_path: Path) -> None:
    alone = start_gateway(tmp_path, postgres)
    try:
        put = alone.upload("nowhere", Stream(ODD, seed=7))
        got = alone.download("nowhere")
    finally:
        alone.gateway.kill()

    assert put.status == 503
    assert put.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert put.text.startswith("0 of 6 storage nodes are live")
    assert got.status == 404
