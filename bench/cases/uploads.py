"""A file comes in as the raw body of a PUT, to a key that did not exist before."""

import os
from contextlib import ExitStack
from pathlib import Path

from bench.client import Job
from bench.corpus import Corpus, digest
from bench.peers.golang import Go, GoSha256
from bench.peers.nginx import Nginx
from bench.peers.penstock import Penstock, PenstockWithoutSha256
from bench.peers.server import Server
from bench.rounds import Benchmark, Plan

_KEY = "incoming/file.bin"


def _plan(corpus: Corpus, _running: ExitStack) -> Plan:
    source = corpus.root / corpus.file()
    wanted = digest(source)

    def root(kind: type[Server]) -> Path:
        folder = corpus.folder / "uploads" / kind.__name__
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def job(server: Server) -> Job:
        return {
            "kind": "upload",
            "port": server.port,
            "path": server.file_path(_KEY),
            "file": str(source),
            "size": corpus.size,
        }

    def verify(server: Server, _kept: Path) -> None:
        if digest(server.root / _KEY) != wanted:
            raise RuntimeError(f"{server.name} stored other bytes than were sent")

    def reset(server: Server) -> None:
        (server.root / _KEY).unlink(missing_ok=True)
        os.sync()  # the disk's own work must not reach into the next run

    return Plan(corpus.size, job, verify, root, reset=reset)


BENCHMARKS = (
    Benchmark(
        "upload",
        "Upload with SHA-256",
        (Penstock, GoSha256),
        _plan,
    ),
    Benchmark(
        "upload-plain",
        "Upload without SHA-256",
        (PenstockWithoutSha256, Go, Nginx),
        _plan,
    ),
)
