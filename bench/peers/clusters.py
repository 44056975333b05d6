"""Files that are spread over storage nodes: ours, and parts one after another as s3testcase has it.

Each is a gateway and its nodes, processes of their own, so that their costs are told apart.
"""

import json
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import cpu_seconds, peak_rss
from bench.peers.penstock import Penstock
from bench.peers.server import Server

_SECRET = "0123456789abcdef" * 2
_PATIENCE = 60.0
_APP = Path(__file__).with_name("sequential_app.py")


@dataclass(frozen=True)
class Running:
    """A gateway and its nodes, started."""

    gateway: Server
    nodes: Sequence[Server]

    def cpu_seconds(self) -> tuple[float, float]:
        """So far, of the gateway and of all nodes together."""
        return cpu_seconds(self.gateway.pid), sum(cpu_seconds(node.pid) for node in self.nodes)

    def peak_rss(self) -> tuple[int, int]:
        """Of the gateway, and of the node that held most."""
        held = [peak_rss(node.pid) for node in self.nodes]
        return peak_rss(self.gateway.pid), max(held, default=0)


@dataclass(frozen=True)
class Folder:
    """``penstock serve`` on a folder: no nodes."""

    name: str = "penstock, a folder"
    note: str = "the local store, defaults"

    @contextmanager
    def running(self, scratch: Path) -> Iterator[Running]:
        root = scratch / "files"
        root.mkdir(parents=True)
        with Penstock(root, scratch / "gateway") as gateway:
            yield Running(gateway, ())


@dataclass(frozen=True)
class Cluster:
    """``penstock serve --store cluster://`` with so many nodes."""

    nodes: int
    replicas: int

    @property
    def name(self) -> str:
        copies = "1 copy" if self.replicas == 1 else f"{self.replicas} copies"
        return f"penstock, {self.nodes} node{'s' * (self.nodes > 1)}, {copies}"

    @property
    def note(self) -> str:
        return "SQLite catalog, SHA-256 and CRC-32, each part fsynced by its node"

    @contextmanager
    def running(self, scratch: Path) -> Iterator[Running]:
        with ExitStack() as stack:
            gateway = _Gateway(scratch, scratch / "gateway", self.replicas)
            stack.enter_context(gateway)
            nodes = [
                _Node(scratch, scratch / f"node-{number}", gateway.port)
                for number in range(self.nodes)
            ]
            _start(stack, nodes)
            gateway.wait_for(self.nodes)
            yield Running(gateway, nodes)


@dataclass(frozen=True)
class Sequential:
    """Parts one after another."""

    nodes: int

    @property
    def name(self) -> str:
        return f"parts one after another, {self.nodes} nodes"

    @property
    def note(self) -> str:
        return (
            "as s3testcase does it, in asyncio: one copy, no digest, no checksum, no fsync, "
            "no database"
        )

    @contextmanager
    def running(self, scratch: Path) -> Iterator[Running]:
        with ExitStack() as stack:
            nodes: list[Server] = []
            for number in range(self.nodes):
                root = scratch / f"node-{number}" / "files"
                root.mkdir(parents=True)
                nodes.append(_SequentialNode(root, root.parent))
            _start(stack, nodes)
            gateway = _SequentialGateway(scratch, scratch / "gateway")
            gateway.ports = [node.port for node in nodes]
            stack.enter_context(gateway)
            yield Running(gateway, nodes)


def _start(stack: ExitStack, servers: Sequence[Server]) -> None:
    """All at once, for as long as the stack."""
    for server in servers:
        stack.callback(server.__exit__)
    with ThreadPoolExecutor(len(servers)) as pool:
        list(pool.map(lambda server: server.__enter__(), servers))


class _Gateway(Penstock):
    """Ours, before nodes."""

    def __init__(self, root: Path, scratch: Path, replicas: int) -> None:
        super().__init__(root, scratch)
        self._replicas = replicas

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "PENSTOCK_STORE": "cluster://",
            "PENSTOCK_CLUSTER_SECRET": _SECRET,
            "PENSTOCK_CLUSTER_REPLICAS": str(self._replicas),
        }

    def wait_for(self, nodes: int) -> None:
        """Until so many nodes are live.

        :raises RuntimeError: they are not within a minute.
        """
        deadline = time.monotonic() + _PATIENCE
        while self._live() < nodes:
            if time.monotonic() > deadline:
                raise RuntimeError(f"not all nodes became live:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def _live(self) -> int:
        url = f"http://127.0.0.1:{self.port}/v1/nodes"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return sum(node["state"] == "live" for node in json.load(answer)["nodes"])


class _Node(Penstock):
    """``penstock node``."""

    name = "penstock node"

    def __init__(self, root: Path, scratch: Path, locator: int) -> None:
        super().__init__(root, scratch)
        self._locator = f"http://127.0.0.1:{locator}"

    def command(self) -> list[str]:
        options = ["--data", str(self.scratch / "data"), "--port", "0", "--locator", self._locator]
        return [sys.executable, "-m", "penstock", "node", *options]

    def environment(self) -> dict[str, str]:
        return {"PENSTOCK_CLUSTER_SECRET": _SECRET}


class _SequentialNode(Server):
    name = "storage service"

    def command(self) -> list[str]:
        return [sys.executable, str(_APP), "node", str(self.root), str(self.port)]


class _SequentialGateway(Server):
    name = "file service"
    ports: Sequence[int] = ()

    def command(self) -> list[str]:
        return [sys.executable, str(_APP), "gateway", str(self.port), *map(str, self.ports)]

    def file_path(self, key: str) -> str:
        return "/files" + super().file_path(key)
