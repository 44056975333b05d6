"""Text goes out in gzip, made while it is sent: chunks of a file, and whole files."""

import gzip
import hashlib
from contextlib import ExitStack
from pathlib import Path

from bench.client import Job
from bench.corpus import Corpus, digest
from bench.peers.golang import GoGzip
from bench.peers.nginx import NginxGzip
from bench.peers.penstock import Penstock, PenstockChunks
from bench.peers.server import Server
from bench.rounds import Benchmark, Plan
from bench.texts import text

_STEP = 512 << 10


def _chunks(corpus: Corpus, _running: ExitStack) -> Plan:
    key = corpus.named("text.txt", text)
    spans = [
        f"{start}-{min(start + _STEP, corpus.size) - 1}" for start in range(0, corpus.size, _STEP)
    ]
    return _plan(corpus, [(key, span) for span in spans], [key])


def _files(corpus: Corpus, _running: ExitStack) -> Plan:
    folder = corpus.many("texts", corpus.size // _STEP, _STEP, text, "txt")
    keys = [f"{folder}/{number:05}.txt" for number in range(corpus.size // _STEP)]
    return _plan(corpus, [(key, "") for key in keys], keys)


def _whole(corpus: Corpus, _running: ExitStack) -> Plan:
    key = corpus.named("text.txt", text)
    return _plan(corpus, [(key, "")], [key])


def _plan(corpus: Corpus, asks: list[tuple[str, str]], keys: list[str]) -> Plan:
    """``keys`` are the files that the answers, one behind the other, hold."""
    wanted = _digest_of(corpus, keys)

    def job(server: Server) -> Job:
        told = [(server.coded_path(key), span) for key, span in asks]
        return {"kind": "coded", "port": server.port, "path": told[0][0], "asks": told}

    def verify(server: Server, kept: Path) -> None:
        with gzip.open(kept) as plain:
            if hashlib.file_digest(plain, "sha256").hexdigest() != wanted:
                raise RuntimeError(f"{server.name} sent other bytes than the files'")

    return Plan(corpus.size, job, verify, lambda _: corpus.root)


def _digest_of(corpus: Corpus, keys: list[str]) -> str:
    if len(keys) == 1:
        return digest(corpus.root / keys[0])
    all_of_them = hashlib.sha256()
    for key in keys:
        all_of_them.update((corpus.root / key).read_bytes())
    return all_of_them.hexdigest()


BENCHMARKS = (
    Benchmark(
        "gzip-chunks",
        "Chunks of 512 KiB of a text, each in gzip, on one kept connection",
        (PenstockChunks, GoGzip),
        _chunks,
        shrinks=True,
    ),
    Benchmark(
        "gzip-files",
        "Texts of 512 KiB in gzip, on one kept connection",
        (Penstock, NginxGzip, GoGzip),
        _files,
        shrinks=True,
    ),
    Benchmark(
        "gzip-file",
        "One large text in gzip",
        (Penstock, NginxGzip, GoGzip),
        _whole,
        shrinks=True,
    ),
)
