"""A warm file goes out: whole to one client, whole to eight at once, and range after range."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.client import Job
from bench.corpus import Corpus, digest
from bench.peers.golang import Go
from bench.peers.nginx import Nginx
from bench.peers.penstock import Penstock
from bench.peers.server import Server
from bench.rounds import Benchmark, Plan

_STEP = 512 << 10
_SERVERS = (Penstock, Nginx, Go)


def _plan(corpus: Corpus, _running: ExitStack, kind: str, connections: int) -> Plan:
    key = corpus.file()
    wanted = digest(corpus.root / key)

    def job(server: Server) -> Job:
        return {
            "kind": kind,
            "port": server.port,
            "path": server.file_path(key),
            "size": corpus.size,
            "step": _STEP,
            "connections": connections,
        }

    def verify(server: Server, kept: Path) -> None:
        if digest(kept) != wanted:
            raise RuntimeError(f"{server.name} sent other bytes than the file's")

    def learn(server: Server) -> None:
        server.learn(key)

    payload = corpus.size * connections
    return Plan(payload, job, verify, lambda _: corpus.root, prepare=learn)


whole_file = partial(_plan, kind="fetch", connections=8)
"""To eight clients at once."""

BENCHMARKS = (
    Benchmark(
        "file",
        "Whole file, one client",
        _SERVERS,
        partial(_plan, kind="fetch", connections=1),
    ),
    Benchmark(
        "file-8",
        "Whole file, eight clients at once",
        _SERVERS,
        whole_file,
    ),
    Benchmark(
        "ranges",
        "Ranges of 512 KiB in sequence on one kept connection",
        _SERVERS,
        partial(_plan, kind="ranges", connections=1),
    ),
)
