"""A warm file comes in: our client and others, from our server and from nginx, fast and slow.

What is measured is the client. The server runs on the same machine.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.corpus import Corpus, digest
from bench.peers.downloaders import OTHERS, PENSTOCK, Cost, Downloader, cost
from bench.peers.nginx import Nginx
from bench.peers.penstock import Penstock
from bench.peers.server import PeerMissing, Server
from bench.rounds import Result
from tools.netshape.hosts import Link, line
from tools.netshape.shape import NoNamespaces, Shape

_LINE = Shape(rate=100_000_000, burst=2_000_000, latency=50)


@dataclass(frozen=True)
class Origin:
    """Where a file is; ``within`` is the command that runs a client where it can get it."""

    url: str
    within: Sequence[str] = ()


Opened = Callable[[Corpus, str, Path], AbstractContextManager[Origin]]
"""A server with one file of the corpus, by its key; a folder takes its log and leftovers."""


@dataclass(frozen=True)
class Downloads:
    """Compares programs that fetch one file, of a part of the corpus' size; ours is the first."""

    name: str
    title: str
    origin: Opened
    part: int = 1
    ours: int = 1
    shrinks: bool = False
    compared: str = "client"

    def run(self, corpus: Corpus, runs: int, say: Callable[[str], None]) -> list[Result]:
        """All rounds, the programs in turn: A B C A B C …

        :raises PeerMissing: the server, or something else that all need, is not installed.
        """
        size = corpus.size // self.part
        key = f"{corpus.many(f'downloads-{size}', 1, size)}/00000.bin"
        wanted = digest(corpus.root / key)
        scratch = corpus.folder / "servers" / self.name
        with ExitStack() as running:
            origin = running.enter_context(self.origin(corpus, key, scratch))
            say(f"{self.name}: checking what every program brings")
            programs = self._that_work(origin, wanted, scratch, say)
            results = [Result(one.name, one.note, size, size) for one in programs]
            for number in range(runs):
                say(f"{self.name}: round {number + 1} of {runs}")
                for program, result in zip(programs, results, strict=True):
                    _add(result, _fetched(program, origin, wanted, scratch))
        return results

    def _that_work(
        self, origin: Origin, wanted: str, scratch: Path, say: Callable[[str], None]
    ) -> Sequence[Downloader]:
        """Those that are installed; each has shown that what it brings is right."""
        found = []
        for program in (PENSTOCK, *OTHERS):
            try:
                _fetched(program, origin, wanted, scratch, check=True)
            except PeerMissing as missing:
                say(f"{self.name}: without {program.name}: {missing}")
            else:
                found.append(program)
        return found


def _fetched(
    program: Downloader, origin: Origin, wanted: str, scratch: Path, *, check: bool = False
) -> Cost:
    target = scratch / "fetched"
    command = program.command(origin.url, target, wanted)
    measured = cost([*origin.within, *command], scratch / "client.log")
    if check and digest(target) != wanted:
        raise RuntimeError(f"{program.name} brought other bytes than the file's")
    target.unlink()
    return measured


def _add(result: Result, measured: Cost) -> None:
    result.seconds.append(measured.seconds)
    result.cpu_seconds.append(measured.cpu_seconds)
    result.peak_rss = max(result.peak_rss, measured.rss)


def _beside(kind: type[Server]) -> Opened:
    """On this machine, over loopback."""

    @contextmanager
    def opened(corpus: Corpus, key: str, scratch: Path) -> Iterator[Origin]:
        with kind(corpus.root, scratch) as server:
            server.learn(key)
            yield Origin(f"http://127.0.0.1:{server.port}{server.file_path(key)}")

    return opened


class _FarPenstock(Penstock):
    """Ours at the other end of a line."""

    link: Link

    def command(self) -> list[str]:
        return self.link.far.command(*super().command())

    def environment(self) -> dict[str, str]:
        given = {"PENSTOCK_HOST": self.link.far.address, "PENSTOCK_ACCESS": "off"}
        return {**super().environment(), **given}


@contextmanager
def _far(corpus: Corpus, key: str, scratch: Path) -> Iterator[Origin]:
    """Our server, with a line of 100 Mbit before it."""
    with ExitStack() as running:
        try:
            link = running.enter_context(line(_LINE))
        except NoNamespaces as reason:
            raise PeerMissing(str(reason)) from None
        server = _FarPenstock(corpus.root, scratch)
        server.link = link
        running.enter_context(server)
        url = f"http://{link.far.address}:{server.port}{server.file_path(key)}"
        yield Origin(url, link.near.command())


BENCHMARKS = (
    Downloads("downloads", "A file comes in from our server", _beside(Penstock)),
    Downloads("downloads-nginx", "A file comes in from nginx", _beside(Nginx)),
    Downloads(
        "downloads-100mbit",
        "A file comes in from our server by a line of 100 Mbit/s",
        _far,
        part=16,
    ),
)
