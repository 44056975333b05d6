"""Many URLs of another server on this machine go out as one ZIP, stored, made while it is sent."""

import itertools
import json
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.cases.zips import files
from bench.client import Job
from bench.corpus import Corpus, folder_digests, zip_digests
from bench.peers.archiver import Archiver
from bench.peers.golang import Go
from bench.peers.nginx import Nginx
from bench.peers.penstock import PenstockUrls, PenstockUrlsKnown
from bench.peers.server import PeerMissing, Server
from bench.rounds import Benchmark, Plan

_SERVERS = (PenstockUrls, PenstockUrlsKnown, Go, Archiver)


def start_origin(corpus: Corpus, running: ExitStack) -> Server:
    """The server that the URLs name: nginx, else Go's file server. Its cost is not counted.

    :raises PeerMissing: neither is installed.
    """
    scratch = corpus.folder / "servers" / "origin"
    try:
        return running.enter_context(Nginx(corpus.root, scratch))
    except PeerMissing:
        return running.enter_context(Go(corpus.root, scratch))


@dataclass(frozen=True)
class Wanted:
    """All files of a folder by their URLs."""

    files: Sequence[dict[str, object]]

    @classmethod
    def of(cls, corpus: Corpus, origin: Server, folder: str, told: bool = False) -> "Wanted":
        """``told``: with their sizes and CRC-32s."""
        return cls([_described(origin, path, told) for path in (corpus.root / folder).iterdir()])

    def body(self, number: int) -> str:
        """The JSON that asks for them in a folder of that number.

        Whoever asks with another number asks for another ZIP: what a server remembers of the
        last one is of no use.
        """
        urls = [{**file, "name": f"{number:06}/{file['name']}"} for file in self.files]
        return json.dumps({"urls": urls, "compress": "store"})


def _described(origin: Server, path: Path, told: bool) -> dict[str, object]:
    name = f"{path.parent.name}/{path.name}"
    url = f"http://127.0.0.1:{origin.port}{origin.file_path(name)}"
    if not told:
        return {"url": url, "name": name}
    data = path.read_bytes()
    return {"url": url, "name": name, "size": len(data), "crc32": f"{zlib.crc32(data):08x}"}


def _plan(corpus: Corpus, running: ExitStack, count: int, size: int) -> Plan:
    """``count`` and ``size`` are those for a corpus of 1 GiB."""
    folder, count = files(corpus, count, size)
    digests = folder_digests(corpus.root / folder)
    origin = start_origin(corpus, running)
    wanted = {told: Wanted.of(corpus, origin, folder, told) for told in (False, True)}
    numbers = itertools.count()

    def job(server: Server) -> Job:
        body = wanted[isinstance(server, PenstockUrlsKnown)].body(next(numbers))
        return {"kind": "fetch", "port": server.port, "path": server.urls_path(), "body": body}

    def verify(server: Server, kept: Path) -> None:
        found = zip_digests(kept).items()
        if {name.partition("/")[2]: value for name, value in found} != digests:
            raise RuntimeError(f"{server.name} sent a ZIP of other files")

    return Plan(count * size, job, verify, lambda _: corpus.root)


BENCHMARKS = (
    Benchmark(
        "urls-1000",
        "ZIP of URLs of 1 MiB (1,000 for 1 GiB)",
        _SERVERS,
        partial(_plan, count=1000, size=1 << 20),
        ours=2,
    ),
    Benchmark(
        "urls-20000",
        "ZIP of URLs of 10 KiB (20,000 for 1 GiB)",
        _SERVERS,
        partial(_plan, count=20_000, size=10 << 10),
        ours=2,
    ),
)
