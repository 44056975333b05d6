"""Many stored files go out as one ZIP, stored, made while it is sent."""

from functools import partial
from pathlib import Path

from bench.client import Job
from bench.corpus import Corpus, folder_digests, zip_digests
from bench.peers.golang import Go
from bench.peers.penstock import Penstock
from bench.peers.server import Server
from bench.peers.zipstream_ng import ZipstreamNg
from bench.rounds import GIB, Benchmark, Plan

_SERVERS = (Penstock, Go, ZipstreamNg)


def _plan(corpus: Corpus, count: int, size: int) -> Plan:
    """``count`` and ``size`` are those for a corpus of 1 GiB; smaller ones get fewer files."""
    if count == 1:
        size = corpus.size
    else:
        count = max(1, count * corpus.size // GIB)
    folder = corpus.many(f"zip-{count}x{size}", count, size)
    wanted = folder_digests(corpus.root / folder)

    def job(server: Server) -> Job:
        return {"kind": "fetch", "port": server.port, "path": server.zip_path(folder)}

    def verify(server: Server, kept: Path) -> None:
        if zip_digests(kept) != wanted:
            raise RuntimeError(f"{server.name} sent a ZIP of other files")

    return Plan(count * size, job, verify, lambda _: corpus.root)


BENCHMARKS = (
    Benchmark("zip-1", "ZIP of one file", _SERVERS, partial(_plan, count=1, size=0)),
    Benchmark(
        "zip-1000",
        "ZIP of files of 1 MiB (1,000 for 1 GiB)",
        _SERVERS,
        partial(_plan, count=1000, size=1 << 20),
    ),
    Benchmark(
        "zip-20000",
        "ZIP of files of 10 KiB (20,000 for 1 GiB)",
        _SERVERS,
        partial(_plan, count=20_000, size=10 << 10),
    ),
)
