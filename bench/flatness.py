"""Peak memory of our server for a small and a large file: it must not depend on the size."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from bench.client import Job
from bench.corpus import Corpus
from bench.effort import Effort
from bench.peers.penstock import Penstock
from bench.peers.server import Server
from bench.rounds import run_client

NAME = "flatness"
_TITLE = "Peak memory by size"


@dataclass(frozen=True)
class Growth:
    """The peak RSS, in bytes, of a fresh server after one transfer of each size."""

    transfer: str
    small: int
    large: int
    small_rss: int
    large_rss: int


def run(corpus: Corpus, _effort: Effort, say: Callable[[str], None]) -> list[Growth]:
    """A sixteenth of the corpus' size (64 MiB) against four times it (4 GiB), sparse files."""
    small, large = corpus.size // 16, corpus.size * 4
    growths = []
    for transfer, job in (("get", _get), ("put", _put), ("zip", _zip)):
        say(f"{NAME}: {transfer}")
        peaks = [_peak(corpus, job, size) for size in (small, large)]
        growths.append(Growth(transfer, small, large, peaks[0], peaks[1]))
    return growths


def comparison(growths: Sequence[Growth]) -> str:
    """As a table."""
    rows = [
        f"| {growth.transfer} | {growth.small_rss / 1e6:.1f} | {growth.large_rss / 1e6:.1f} "
        f"| {(growth.large_rss - growth.small_rss) / 1e6:+.1f} |"
        for growth in growths
    ]
    sizes = _mib(growths[0].small), _mib(growths[0].large)
    head = f"| penstock | {sizes[0]}: MB | {sizes[1]}: MB | growth MB |"
    return "\n".join((f"## {_TITLE}", "", head, "| --- | --- | --- | --- |", *rows, ""))


def document(growths: Sequence[Growth]) -> dict[str, object]:
    """The same as data."""
    return {"name": NAME, "title": _TITLE, "results": [asdict(growth) for growth in growths]}


def _peak(corpus: Corpus, job: Callable[[Server, Corpus, int], Job], size: int) -> int:
    scratch = corpus.folder / "servers" / NAME
    with Penstock(corpus.root, scratch) as server:
        answer = run_client(job(server, corpus, size))
        if answer["bytes"] < size:
            raise RuntimeError(f"only {answer['bytes']:,.0f} bytes of {size:,} were moved")
        return server.peak_rss()


def _sparse(corpus: Corpus, size: int) -> str:
    return corpus.sparse(f"sparse-{size}/file.bin", size)


def _get(server: Server, corpus: Corpus, size: int) -> Job:
    path = server.file_path(_sparse(corpus, size))
    return {"kind": "fetch", "port": server.port, "path": path}


def _put(server: Server, corpus: Corpus, size: int) -> Job:
    source = corpus.root / _sparse(corpus, size)
    target = corpus.root / "flatness.bin"
    target.unlink(missing_ok=True)
    return {
        "kind": "upload",
        "port": server.port,
        "path": server.file_path(target.name),
        "file": str(source),
        "size": size,
    }


def _zip(server: Server, corpus: Corpus, size: int) -> Job:
    folder = _sparse(corpus, size).rpartition("/")[0]
    return {"kind": "fetch", "port": server.port, "path": server.zip_path(folder)}


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
