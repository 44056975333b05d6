"""``penstock nodes``, and the other commands, on a cluster of real processes."""

import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psycopg
import pytest

from tests.catalog.conftest import postgres
from tests.cli.running import Cli, kinds
from tests.serving import RunningNode, RunningServer, RunningWorker

__all__ = ["postgres"]

SECRET = "known-to-all-of-this-cluster"
PATIENCE = 60.0

StartNode = Callable[[str], RunningNode]


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def server(stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> RunningServer:
    """A gateway that leaves jobs to workers."""
    folder = tmp_path_factory.mktemp("gateway")
    return gateway(stack, folder / "data", cluster_min_nodes=2, worker="false")


@pytest.fixture(scope="module")
def start_node(stack: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> StartNode:
    """Start a node that announces itself to the server of a URL."""

    def start(locator: str) -> RunningNode:
        folder = tmp_path_factory.mktemp("node")
        node = RunningNode(folder / "data", locator=locator, secret=SECRET)
        stack.callback(node.kill)
        return node

    return start


@pytest.fixture(scope="module")
def nodes(server: RunningServer, start_node: StartNode, stack: ExitStack) -> list[RunningNode]:
    """Two nodes that are live."""
    started = [start_node(server.url) for _ in range(2)]
    until_state(server.url, {"live"}, *started)
    return started


def gateway(stack: ExitStack, data: Path, **options: object) -> RunningServer:
    running = RunningServer(
        data,
        store="cluster://",
        cluster_secret=SECRET,
        cluster_dead_after=10,
        cluster_grace=0,
        **options,
    )
    stack.callback(running.kill)
    return running


def told(server: str) -> dict[str, dict[str, Any]]:
    """What the server tells of each node, by its id."""
    with urlopen(f"{server}/v1/nodes", timeout=PATIENCE) as answer:
        return {one["id"]: one for one in json.load(answer)["nodes"]}


def until(holds: Callable[[], bool]) -> None:
    """Wait for what must come true."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.1)


def until_state(server: str, states: set[str], *nodes: RunningNode) -> None:
    """Wait until each of the nodes is in one of the states."""
    until(lambda: all(told(server).get(node.id, {}).get("state") in states for node in nodes))


def names_on(node: RunningNode, version: str = "") -> list[str]:
    """The parts on the disk of a node; only those of one version of a file."""
    return sorted(path.name for path in node.path("").glob(f"{version}*-*") if path.is_file())


def test_nodes_are_listed_for_people_and_programs(
    penstock: Cli, server: RunningServer, nodes: list[RunningNode]
) -> None:
    lines = penstock("nodes", "ls").lines
    listed = penstock("nodes", "ls", "--json").messages

    assert lines[0].split()[:5] == ["id", "state", "parts", "used", "free"]
    assert [line.split()[0] for line in lines[1:3]] == sorted(node.id for node in nodes)
    assert lines[-1] == "2 live, 2 copies of each part"
    assert kinds(listed) == ["node", "node", "cluster", "summary"]
    assert {one["address"] for one in listed[:2]} == {node.address for node in nodes}
    assert (listed[2]["live"], listed[2]["min_nodes"], listed[2]["replicas"]) == (2, 2, 2)
    assert penstock("nodes", "ls", "--quiet").out == b""
    assert '"/live"' not in server.log.read_text()


def test_files_are_put_listed_fetched_zipped_and_removed(
    penstock: Cli, film: Path, nodes: list[RunningNode]
) -> None:
    data = film.read_bytes()

    assert penstock("put", film, "--to", "films/a b.mkv").code == 0
    listed = penstock("ls", "films/", "--json").messages
    assert penstock("get", "films/a b.mkv").code == 0
    assert penstock("zip", "films/", "-o", "all.zip").code == 0

    version = listed[0]["etag"].strip('"')
    assert [one["key"] for one in listed[:-1]] == ["films/a b.mkv"]
    assert (penstock.folder / "a b.mkv").read_bytes() == data
    with zipfile.ZipFile(penstock.folder / "all.zip") as archive:
        assert [archive.read(name) for name in archive.namelist()] == [data]
    parts = [f"{version}-{number}" for number in range(1, 7)]
    assert [names_on(node, version) for node in nodes] == [parts, parts]

    assert penstock("rm", "films/a b.mkv").code == 0
    assert penstock("get", "films/a b.mkv").code == 4
    until(lambda: not any(names_on(node, version) for node in nodes))


def test_a_node_is_emptied_stopped_and_removed(
    penstock: Cli,
    server: RunningServer,
    nodes: list[RunningNode],
    film: Path,
    start_node: StartNode,
) -> None:
    third = start_node(server.url)
    until_state(server.url, {"live"}, third)
    stored = 0
    while not names_on(third):  # it depends on the ids of nodes and files who gets a part
        assert penstock("put", film, "--to", f"drained/{stored}").code == 0
        stored += 1
    needed = penstock("nodes", "rm", third.id)

    drained = penstock("nodes", "drain", third.id, "--wait")

    assert needed.code == 6
    assert "parts have too few copies without the node" in needed.err
    assert drained.code == 0
    assert drained.lines[0].split()[:3] == [third.id, "draining", "0"]
    until(lambda: not names_on(third))
    alive = penstock("nodes", "rm", third.id)
    assert (alive.code, "still announces itself" in alive.err) == (6, True)

    assert third.stop() == 0
    until_state(server.url, {"suspect", "dead"}, third)
    assert penstock("nodes", "rm", third.id).lines == [f"{third.id}  removed"]
    assert sorted(told(server.url)) == sorted(node.id for node in nodes)
    assert penstock("get", "drained/0").code == 0
    assert (penstock.folder / "0").read_bytes() == film.read_bytes()


def test_a_node_may_take_parts_again_and_is_scrubbed(
    penstock: Cli, server: RunningServer, nodes: list[RunningNode]
) -> None:
    one = nodes[0].id

    drained = penstock("nodes", "drain", one, "--json")
    undrained = penstock("nodes", "undrain", one, "--json")
    until(lambda: told(server.url)[one]["scrubbed"] is not None)
    before = told(server.url)[one]["scrubbed"]
    scrubbed = penstock("nodes", "scrub", one)

    assert [ran.messages[0]["draining"] for ran in (drained, undrained)] == [True, False]
    assert scrubbed.code == 0
    until(lambda: told(server.url)[one]["scrubbed"] not in (None, before))


def test_a_worker_makes_an_archive_in_the_cluster(
    penstock: Cli, server: RunningServer, nodes: list[RunningNode], film: Path
) -> None:
    assert penstock("put", film, "--to", "folder/film").code == 0
    worker = RunningWorker(server.data, store="cluster://", cluster_secret=SECRET)
    try:
        ran = penstock("archive", "folder/", "folder.zip", "--wait")
        assert ran.code == 0, ran.err
    finally:
        assert worker.stop() == 0

    assert penstock("get", "folder.zip").code == 0
    with zipfile.ZipFile(penstock.folder / "folder.zip") as archive:
        assert archive.testzip() is None
        assert [info.file_size for info in archive.infolist()] == [film.stat().st_size]


def test_the_doctor_tells_of_nodes_and_no_secret(
    penstock: Cli, server: RunningServer, nodes: list[RunningNode]
) -> None:
    where = ("--data", server.data, "--store", "cluster://")
    ran = penstock("doctor", "--json", *where, PENSTOCK_CLUSTER_SECRET=SECRET)
    findings = {one["name"]: one for one in ran.messages if one["message_type"] == "finding"}

    assert ran.code == 0
    assert findings["storage nodes"]["text"] == "2 of 2 known are live"
    for node in nodes:
        assert findings[f"node {node.id}"]["state"] == "ok"
        assert findings[f"node {node.id}"]["text"].startswith(f"live, at {node.address}, ")
        assert findings[f"node {node.id}'s clock"]["state"] == "ok"
    assert SECRET not in ran.out.decode() + ran.err + server.log.read_text()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["rm", "nothing"], 4), (["drain", "nothing"], 4), (["scrub", "nothing"], 4), (["rm"], 2)],
)
def test_what_cannot_be_is_told(penstock: Cli, arguments: list[str], code: int) -> None:
    ran = penstock("nodes", *arguments)

    assert (ran.code, ran.out) == (code, b"")
    assert ran.err.startswith("penstock: error: ")


def test_two_gateways_see_the_same_nodes_and_files(
    postgres: str, tmp_path: Path, film: Path, start_node: StartNode
) -> None:
    name = f"d{os.getpid()}{time.monotonic_ns()}"
    with psycopg.connect(postgres.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    catalog = postgres.rpartition("/")[0] + f"/{name}"
    with ExitStack() as stack:
        one, two = (
            Cli(gateway(stack, tmp_path / name / "data", catalog=catalog).url, tmp_path)
            for name in ("one", "two")
        )
        # One hears of the first node only, the other of the second.
        heard = [start_node(penstock.server) for penstock in (one, two)]
        for penstock in (one, two):
            until_state(penstock.server, {"live"}, *heard)

        assert one("put", film, "--to", "shared").code == 0
        assert two("ls").lines == ["shared"]
        assert two("get", "shared").code == 0
        assert (tmp_path / "shared").read_bytes() == film.read_bytes()
        assert two("rm", "shared").code == 0
        assert one("get", "shared").code == 4
        until(lambda: not any(names_on(node) for node in heard))
        for node in heard:
            assert node.stop() == 0
