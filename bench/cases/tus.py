"""A file comes in as a tus 1.0 upload: created, then sent in one PATCH or in many."""

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.client import Job
from bench.corpus import MIB, Corpus, digest
from bench.peers.penstock import Penstock, PenstockWithoutSha256
from bench.peers.server import Server
from bench.peers.tus_node import TusNode
from bench.peers.tus_py import TusPy
from bench.rounds import Benchmark, Plan

_KEY = "incoming/file.bin"
_SERVERS = (Penstock, PenstockWithoutSha256, TusNode, TusPy)


def _plan(corpus: Corpus, _running: ExitStack, pieces: bool) -> Plan:
    source = corpus.root / corpus.file()
    wanted = digest(source)
    # A small corpus is sent in several pieces too.
    step = min(8 * MIB, corpus.size // 4) if pieces else corpus.size

    def root(kind: type[Server]) -> Path:
        folder = corpus.folder / "tus" / kind.__name__
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def job(server: Server) -> Job:
        return {
            "kind": "tus",
            "port": server.port,
            "path": server.tus_path(),
            "key": _KEY,
            "file": str(source),
            "size": corpus.size,
            "step": step,
        }

    def verify(server: Server, kept: Path) -> None:
        if digest(server.tus_file(_KEY, kept.read_text())) != wanted:
            raise RuntimeError(f"{server.name} stored other bytes than were sent")

    def reset(server: Server) -> None:
        for path in server.root.rglob("*"):
            if path.is_file() and path.stat().st_size == corpus.size:
                path.unlink()
        os.sync()  # the disk's own work must not reach into the next run

    return Plan(corpus.size, job, verify, root, reset=reset)


BENCHMARKS = (
    Benchmark("tus", "tus upload in one PATCH", _SERVERS, partial(_plan, pieces=False), ours=2),
    Benchmark(
        "tus-pieces",
        "tus upload in PATCHes of 8 MiB",
        _SERVERS,
        partial(_plan, pieces=True),
        ours=2,
    ),
)
