"""Several processes on one port: small files in crowds, and a large one to eight at once."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.cases.downloads import whole_file
from bench.client import Job
from bench.corpus import Corpus
from bench.peers.nginx import NginxTwo
from bench.peers.penstock import Penstock, PenstockTwo
from bench.peers.server import Server
from bench.rounds import Benchmark, Plan

_SMALL = 16 << 10
_CLIENTS = 16
_SERVERS = (Penstock, PenstockTwo, NginxTwo)


def _small_files(corpus: Corpus, _running: ExitStack) -> Plan:
    """16 clients with a kept connection each, which asks for one file of 16 KiB after the other;
    an eighth of the corpus's size in all."""
    key = f"{corpus.many('workers', 1, _SMALL)}/00000.bin"
    content = (corpus.root / key).read_bytes()
    turns = max(1, corpus.size // 8 // _CLIENTS // _SMALL)

    def job(server: Server) -> Job:
        return {
            "kind": "gets",
            "port": server.port,
            "files": [{"path": server.file_path(key)}] * turns,
            "connections": _CLIENTS,
        }

    def verify(server: Server, kept: Path) -> None:
        if any(piece != content for piece in _pieces(kept)):
            raise RuntimeError(f"{server.name} sent other bytes than the file's")

    def learn(server: Server) -> None:
        server.learn(key)

    payload = turns * _CLIENTS * _SMALL
    return Plan(payload, job, verify, lambda _: corpus.root, prepare=learn)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_SMALL):
            yield piece


BENCHMARKS = (
    Benchmark(
        "workers",
        "Files of 16 KiB to 16 clients at once, by one process and by two",
        _SERVERS,
        _small_files,
        ours=2,
    ),
    Benchmark(
        "workers-file",
        "Whole file, eight clients at once, by one process and by two",
        _SERVERS,
        whole_file,
        ours=2,
    ),
)
