"""Very many slow tus uploads to our server at once: memory, CPU time, and every byte."""

import asyncio
import resource
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

import aiohttp

from bench import measure
from bench.corpus import Corpus
from bench.effort import Effort
from bench.peers.penstock import PenstockCrowded
from bench.peers.server import Server
from bench.table import grid

NAME = "upload-crowd"
_TITLE = "Many slow tus uploads at once"
_PIECE = 2500  # bytes
_PIECES = 4  # in a second
_SPARE = 200  # descriptors beside those of the uploads
_SAMPLES = 40
_CREATED_AT_ONCE = 16
_AFTER = 2.0  # seconds until the server has seen that all clients are gone
_TUS = {"Tus-Resumable": "1.0.0"}


@dataclass(frozen=True)
class Sample:
    """The server ``seconds`` after the first upload began; ``rss`` is bytes."""

    seconds: float
    under_way: int
    rss: int
    cpu_seconds: float
    descriptors: int


@dataclass
class Crowd:
    """``uploads`` at once, ``size`` bytes each; ``right`` are those with all offsets and bytes.

    The first sample is of the idle server, the last one of it when all is done.
    """

    note: str
    uploads: int
    size: int
    right: int = 0
    under_way: int = 0
    errors: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    peak_rss: int = 0


def run(corpus: Corpus, effort: Effort, say: Callable[[str], None]) -> list[Crowd]:
    """10 kB/s each; the number of uploads and the seconds are those of the effort."""
    uploads = _possible(effort.uploads)
    if uploads < effort.uploads:
        say(f"{NAME}: {uploads:,} uploads, because the hard limit of open files allows no more")
    say(f"{NAME}: {uploads:,} uploads for {effort.seconds:.0f} s")
    root = corpus.folder / NAME
    root.mkdir()
    crowd = Crowd(PenstockCrowded.note, uploads, max(1, int(effort.seconds * _PIECES)) * _PIECE)
    with PenstockCrowded(root, root.with_suffix(".scratch")) as server:
        asyncio.run(_gather(server, crowd))
        server.require_running()
        crowd.peak_rss = server.peak_rss()
    for error in crowd.errors[:5]:
        say(f"{NAME}: {error}")
    return [crowd]


def _possible(uploads: int) -> int:
    """Raise the limit of open files, which the server inherits; answers how many uploads fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 3 * uploads + _SPARE  # a connection, a file and its lock each
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(uploads, (soft - _SPARE) // 3)


async def _gather(server: Server, crowd: Crowd) -> None:
    started = time.monotonic()
    crowd.samples.append(_sample(server, crowd, started))
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{server.port}",
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_read=120),
        headers=_TUS,
        raise_for_status=True,
    ) as session:
        watching = asyncio.create_task(_watch(server, crowd, started))
        few = asyncio.Semaphore(_CREATED_AT_ONCE)
        numbers = range(crowd.uploads)
        paths = await asyncio.gather(
            *(_create(session, server, one, crowd, few) for one in numbers)
        )
        uploading = (_upload(session, server, *both, crowd) for both in enumerate(paths))
        outcomes = await asyncio.gather(*uploading, return_exceptions=True)
        watching.cancel()
    await asyncio.sleep(_AFTER)
    crowd.errors += [repr(outcome) for outcome in outcomes if outcome is not None]
    crowd.samples.append(_sample(server, crowd, started))


async def _create(
    session: aiohttp.ClientSession,
    server: Server,
    number: int,
    crowd: Crowd,
    few: asyncio.Semaphore,
) -> str:
    """Begin an upload, before any of them gets a byte; answers the path of its URL."""
    fields = {
        "Upload-Length": str(crowd.size),
        "Upload-Metadata": f"filename {b64encode(_key(number).encode()).decode()}",
    }
    async with few, session.post(server.tus_path(), headers=fields) as created:
        return urlsplit(created.headers["Location"]).path


async def _upload(
    session: aiohttp.ClientSession, server: Server, number: int, path: str, crowd: Crowd
) -> None:
    # They come within a second, so that none has to wait long to be accepted.
    await asyncio.sleep(number / crowd.uploads)
    fields = {
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(crowd.size),
        "Upload-Offset": "0",
    }
    content = _content(number, crowd.size)
    async with session.patch(path, headers=fields, data=_trickle(content, crowd)) as done:
        offset = int(done.headers["Upload-Offset"])
    stored = await asyncio.to_thread(server.tus_file(_key(number), path).read_bytes)
    if offset != crowd.size or stored != content:
        told = f"{len(stored)} bytes and offset {offset} of {crowd.size}"
        raise RuntimeError(f"{_key(number)}: {told}")
    crowd.right += 1


def _key(number: int) -> str:
    return f"crowd/{number}.bin"


def _content(number: int, size: int) -> bytes:
    """No two uploads have the same bytes, and no part of one is like another."""
    lines = (b"%08d %08d\n" % (number, line) for line in range(size // 18 + 1))
    return b"".join(lines)[:size]


async def _trickle(content: bytes, crowd: Crowd) -> AsyncIterator[bytes]:
    crowd.under_way += 1
    started = time.monotonic()
    try:
        for number, at in enumerate(range(0, len(content), _PIECE), 1):
            yield content[at : at + _PIECE]
            await asyncio.sleep(started + number / _PIECES - time.monotonic())
    finally:
        crowd.under_way -= 1


async def _watch(server: Server, crowd: Crowd, started: float) -> None:
    pause = crowd.size / _PIECE / _PIECES / _SAMPLES
    while True:
        await asyncio.sleep(pause)
        crowd.samples.append(_sample(server, crowd, started))


def _sample(server: Server, crowd: Crowd, started: float) -> Sample:
    return Sample(
        time.monotonic() - started,
        crowd.under_way,
        measure.rss(server.pid),
        server.cpu_seconds(),
        measure.descriptors(server.pid),
    )


def comparison(crowds: Sequence[Crowd]) -> str:
    """As a table of the moments that tell whether it is flat."""
    (crowd,) = crowds
    samples = crowd.samples
    most = max(sample.under_way for sample in samples)
    full = [sample for sample in samples if sample.under_way == most]
    moments = {
        "idle": samples[0],
        "all begun": full[0],
        "middle": full[len(full) // 2],
        "end": full[-1],
        "all done": samples[-1],
    }
    about = (
        f"{crowd.uploads:,} uploads of {crowd.size / 1e3:,.0f} kB at 10 kB/s each, in "
        f"{_PIECES} pieces a second; {crowd.right:,} ended with the right offset and bytes. "
        f"Peak RSS {crowd.peak_rss / 1e6:.1f} MB."
    )
    head = (
        "moment",
        "s",
        "under way",
        "RSS MB",
        "of it an upload kB",
        "CPU s so far",
        "open files",
    )
    rows = [head, *(_row(name, moment, crowd) for name, moment in moments.items())]
    note = f"- penstock: {crowd.note}"
    return "\n".join((f"## {_TITLE}", "", about, "", *grid(rows), "", note, ""))


def _row(name: str, sample: Sample, crowd: Crowd) -> list[str]:
    idle = crowd.samples[0]
    return [
        name,
        f"{sample.seconds:.1f}",
        f"{sample.under_way:,}",
        f"{sample.rss / 1e6:.1f}",
        f"{(sample.rss - idle.rss) / 1e3 / crowd.uploads:.1f}",
        f"{sample.cpu_seconds - idle.cpu_seconds:.1f}",
        f"{sample.descriptors:,}",
    ]


def document(crowds: Sequence[Crowd]) -> dict[str, object]:
    """The same with every sample."""
    return {"name": NAME, "title": _TITLE, "results": [asdict(crowd) for crowd in crowds]}
