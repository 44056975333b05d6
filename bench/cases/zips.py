"""Many stored files go out as one ZIP made while it is sent: stored, or deflated text."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.client import Job
from bench.corpus import Content, Corpus, folder_digests, noise, zip_digests
from bench.peers.archiver import Archiver, ArchiverDeflate
from bench.peers.golang import Go, GoDeflate
from bench.peers.penstock import Penstock, PenstockBest, PenstockFast
from bench.peers.server import Server
from bench.peers.stream_zip import StreamZip
from bench.peers.zipstream_ng import ZipstreamNg, ZipstreamNgDeflate
from bench.rounds import GIB, Benchmark, Plan
from bench.texts import text

_STORING = (Penstock, Go, ZipstreamNg, StreamZip, Archiver)
_DEFLATING = (PenstockFast, PenstockBest, GoDeflate, ZipstreamNgDeflate, ArchiverDeflate)


def files(
    corpus: Corpus, count: int, size: int, content: Content = noise, least: int = 1
) -> tuple[str, int]:
    """A folder for a ZIP and how many files it has; a corpus of less than 1 GiB gets fewer."""
    if count > 1:
        count = max(least, count * corpus.size // GIB)
    return corpus.many(f"{content.__name__}-{count}x{size}", count, size, content), count


def _plan(
    corpus: Corpus, _running: ExitStack, count: int, size: int, content: Content = noise
) -> Plan:
    """``count`` and ``size`` are those for a corpus of 1 GiB; ``size`` 0 is the corpus' own."""
    size = size or corpus.size
    folder, count = files(corpus, count, size, content)
    wanted = folder_digests(corpus.root / folder)
    payload = count * size

    def job(server: Server) -> Job:
        return {"kind": "fetch", "port": server.port, "path": server.zip_path(folder)}

    def verify(server: Server, kept: Path) -> None:
        if zip_digests(kept) != wanted:
            raise RuntimeError(f"{server.name} sent a ZIP of other files")
        # Storing is no deflating, however fast it is.
        if content is text and kept.stat().st_size > payload // 2:
            raise RuntimeError(f"{server.name} did not deflate")

    return Plan(payload, job, verify, lambda _: corpus.root)


_SHAPES = (
    ("1", "one file", 1, 0),
    ("1000", "files of 1 MiB (1,000 for 1 GiB)", 1000, 1 << 20),
    ("20000", "files of 10 KiB (20,000 for 1 GiB)", 20_000, 10 << 10),
)

BENCHMARKS = (
    *(
        Benchmark(f"zip-{name}", f"ZIP of {what}", _STORING, partial(_plan, count=count, size=size))
        for name, what, count, size in _SHAPES
    ),
    *(
        Benchmark(
            f"deflate-{name}",
            f"Deflated ZIP of {what}: logs, JSON, source",
            _DEFLATING,
            partial(_plan, count=count, size=size, content=text),
            ours=2,
            shrinks=True,
        )
        for name, what, count, size in _SHAPES
    ),
)
