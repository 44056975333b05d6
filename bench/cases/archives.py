"""Folders in S3 become ZIPs in S3: Penstock and StreamVault on the same server and files.

Each run begins with fresh processes, which have archived one small file. Then the clock runs from
the request to the end of the job, as the program tells it. One run of each, before the others, goes
through a proxy that counts, and what came of it is compared with the files.
"""

import json
import os
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.bucket import Bucket, bucket
from bench.corpus import MIB, Corpus, folder_digests, zip_digests
from bench.counting import Counter
from bench.effort import Effort
from bench.peers.penstock import Penstock
from bench.peers.server import PeerMissing
from bench.peers.streamvault import StreamVault
from bench.table import grid, spread
from tests.s3.servers import S3Server

NAME = "archives"
_TITLE = "Folders in S3 become ZIPs in S3"
SERVERS = os.environ.get("PENSTOCK_BENCH_S3", "ministack").split(",")
"""Kinds of tests/s3/servers.py. The tests' emulator has CRC-32s and copies in memory, so that it
is in the way of neither; Swift is a real server, and the slower one."""
_POLL = 0.05
_WARM = "warm"


class PenstockOnS3(Penstock):
    """``penstock serve`` on a bucket: API, catalog and worker in one process."""

    note = "all of `penstock serve`: API, catalog and worker"

    def __init__(self, server: S3Server, endpoint: str, scratch: Path) -> None:
        super().__init__(scratch, scratch)
        self._s3 = {**server.settings(""), "s3_endpoint": endpoint}

    def environment(self) -> dict[str, str]:
        settings = {"data": str(self.scratch / "data"), "port": "0", **self._s3}
        return {f"PENSTOCK_{name.upper()}": value for name, value in settings.items()}

    def archive(self, folder: str) -> float:
        """Have a folder archived; answers the seconds that it took.

        :raises RuntimeError: it failed.
        """
        began = time.perf_counter()
        archive = self._ask("/v1/archives", {"prefix": folder})
        while archive["state"] in ("waiting", "running"):
            time.sleep(_POLL)
            archive = self._ask(f"/v1/archives/{archive['id']}")
        seconds = time.perf_counter() - began
        if archive["state"] != "done":
            raise RuntimeError(f"{self.name}: {archive['error']}")
        return seconds

    def key(self, folder: str) -> str:
        """Where the archive of a folder is."""
        return f"exports/{folder}.zip"

    def _ask(self, path: str, body: object = None) -> dict[str, object]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: dict[str, object] = json.load(answer)
        return found


Program = type[PenstockOnS3] | type[StreamVault]
PROGRAMS: tuple[Program, ...] = (PenstockOnS3, StreamVault)


@dataclass(frozen=True)
class Content:
    """A folder of large and of small files: how many of each there are."""

    name: str
    large: int
    small: int

    def make(self, corpus: Corpus) -> str:
        """The folder: of a corpus of 1 GiB large files have 50 MiB, and small ones 100 KiB."""
        large, small = corpus.size * 50 >> 10, max(1, corpus.size * 100 >> 20)
        folder = f"archived-{self.name}-{corpus.size}"
        corpus.many(folder, self.large, large, extension="large")
        return corpus.many(folder, self.share(corpus), small, extension="small")

    def share(self, corpus: Corpus) -> int:
        """Small files: fewer of a smaller corpus, since it is the number that takes the time."""
        return min(self.small, max(20, self.small * corpus.size >> 30)) if self.small else 0


CONTENTS = (Content("large", 10, 0), Content("small", 0, 2000), Content("mixed", 4, 800))


@dataclass
class Archived:
    """The runs of one program on one folder; ``received`` and ``sent`` are bytes between it and
    S3."""

    program: str
    note: str
    server: str
    folder: str
    files: int
    payload: int
    received: int = 0
    sent: int = 0
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    peak_rss: int = 0


def run(corpus: Corpus, effort: Effort, say: Callable[[str], None]) -> list[Archived]:
    """All rounds, on each server, with each folder, the programs in turn.

    :raises PeerMissing: there is no S3 server.
    """
    found: list[Archived] = []
    for kind in SERVERS:
        with bucket(kind, corpus.folder / "servers" / NAME / kind) as there:
            for content in CONTENTS:
                found += _compared(there, content, corpus, effort.runs, say)
    return found


def _compared(
    there: Bucket, content: Content, corpus: Corpus, runs: int, say: Callable[[str], None]
) -> list[Archived]:
    folder = content.make(corpus)
    wanted = folder_digests(corpus.root / folder)
    payload = sum((corpus.root / name).stat().st_size for name in wanted)
    corpus.many(_WARM, 1, 1000)
    what = f"{NAME}: {content.name} on {there.server.kind}"
    for each in (folder, _WARM):
        there.fill(corpus.root, each)
    results: dict[Program, Archived] = {}
    scratch = corpus.folder / "servers" / NAME / folder
    for program in PROGRAMS:
        try:
            say(f"{what}: checking {program.name}")
            result = Archived(
                program.name, program.note, there.server.kind, content.name, len(wanted), payload
            )
            _check(program, there, folder, scratch / program.__name__, wanted, result)
            results[program] = result
        except PeerMissing as missing:
            say(f"{NAME}: without {program.name}: {missing}")
    for number in range(runs):
        say(f"{what}: round {number + 1} of {runs}")
        for program, result in results.items():
            _measure(program, there, folder, scratch / f"{program.__name__}-{number}", result)
    there.clear(wanted)
    return list(results.values())


def _check(
    program: Program,
    there: Bucket,
    folder: str,
    scratch: Path,
    wanted: dict[str, str],
    result: Archived,
) -> None:
    with (
        Counter(there.server.endpoint) as counter,
        program(there.server, counter.url, scratch) as running,
    ):
        running.archive(_WARM)
        received, sent = counter.received, counter.sent
        running.archive(folder)
        result.received, result.sent = counter.received - received, counter.sent - sent
        kept = scratch / "kept.zip"
        there.fetch(running.key(folder), kept)
        if zip_digests(kept) != wanted:
            raise RuntimeError(f"{program.name} made a ZIP of other files")
        kept.unlink()
        there.clear(running.key(each) for each in (folder, _WARM))


def _measure(program: Program, there: Bucket, folder: str, scratch: Path, result: Archived) -> None:
    with program(there.server, there.server.endpoint, scratch) as running:
        running.archive(_WARM)
        before = running.cpu_seconds()
        result.seconds.append(running.archive(folder))
        result.cpu_seconds.append(running.cpu_seconds() - before)
        result.peak_rss = max(result.peak_rss, running.peak_rss())
        there.clear(running.key(each) for each in (folder, _WARM))


def comparison(results: Sequence[Archived]) -> str:
    """As a table of medians; ratios are taken round by round."""
    first = results[0]
    about = (
        f"{len(first.seconds)} rounds, medians (least–most). Times are from the request to the "
        "end of the job. Bytes are those between the program and S3, in one run through a proxy."
    )
    head = ("server", "folder", "program", "s", "CPU s", "MiB from S3", "MiB to S3")
    rows: list[tuple[str, ...]] = [(*head, "peak RSS MB", "its time ÷ ours", "its CPU ÷ ours")]
    rows += [_row(result, _ours(result, results)) for result in results]
    notes = dict.fromkeys(f"- {result.program}: {result.note}" for result in results)
    return "\n".join((f"## {_TITLE}", "", about, "", *grid(rows), "", *notes, ""))


def _ours(result: Archived, results: Sequence[Archived]) -> Archived:
    same = (result.server, result.folder)
    return next(one for one in results if (one.server, one.folder) == same)


def _row(result: Archived, ours: Archived) -> tuple[str, ...]:
    is_ours = result is ours
    return (
        result.server,
        f"{result.folder}: {result.files:,} files, {result.payload / MIB:,.0f} MiB",
        result.program,
        spread(result.seconds, ".2f"),
        spread(result.cpu_seconds, ".2f"),
        f"{result.received / MIB:,.1f}",
        f"{result.sent / MIB:,.1f}",
        f"{result.peak_rss / 1e6:.0f}",
        "" if is_ours else _ratio(result.seconds, ours.seconds),
        "" if is_ours else _ratio(result.cpu_seconds, ours.cpu_seconds),
    )


def _ratio(theirs: Sequence[float], ours: Sequence[float]) -> str:
    return spread([a / b for a, b in zip(theirs, ours, strict=True)], ".1f")


def document(results: Sequence[Archived]) -> dict[str, object]:
    """The same with every round."""
    return {"name": NAME, "title": _TITLE, "results": [asdict(result) for result in results]}
