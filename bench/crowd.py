"""Peak memory of our server for ZIPs of URLs: many, and for many clients, against few for one."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass

from bench.cases.urls import Wanted, start_origin
from bench.cases.zips import files
from bench.corpus import Corpus
from bench.effort import Effort
from bench.peers.penstock import PenstockUrls
from bench.peers.server import Server
from bench.rounds import run_client

NAME = "crowd"
_TITLE = "Peak memory by clients and URLs"
_CLIENTS = 20
_FEW = 10
_MANY = 1000
_SIZE = 1 << 20


@dataclass(frozen=True)
class Peak:
    """The peak RSS, in bytes, of a fresh server that ``clients`` asked at once for a ZIP each."""

    clients: int
    urls: int
    rss: int


def run(corpus: Corpus, _effort: Effort, say: Callable[[str], None]) -> list[Peak]:
    """10 URLs of 1 MiB for one client, then 1,000 (for 1 GiB) for one, and for 20 at once.

    :raises PeerMissing: there is no server to fetch from.
    """
    few = corpus.many(f"crowd-{_FEW}", _FEW, _SIZE)
    many, count = files(corpus, _MANY, _SIZE, least=2 * _FEW)
    peaks = []
    with ExitStack() as running:
        origin = start_origin(corpus, running)
        for clients, folder, urls in (
            (1, few, _FEW),
            (1, many, count),
            (_CLIENTS, many, count),
        ):
            say(f"{NAME}: {clients} × {urls:,} URLs")
            peaks.append(Peak(clients, urls, _peak(corpus, origin, clients, folder)))
    return peaks


def comparison(peaks: Sequence[Peak]) -> str:
    """As a table; the growth is against the first row."""
    rows = [_row(peak, (peak.rss - peaks[0].rss) / 1e6) for peak in peaks]
    head = "| clients at once | URLs of 1 MiB each | penstock: MB | growth MB | of it a client |"
    return "\n".join((f"## {_TITLE}", "", head, "| --- | --- | --- | --- | --- |", *rows, ""))


def _row(peak: Peak, growth: float) -> str:
    cells = (
        f"{peak.clients}",
        f"{peak.urls:,}",
        f"{peak.rss / 1e6:.1f}",
        f"{growth:+.1f}",
        f"{growth / peak.clients:+.1f}",
    )
    return f"| {' | '.join(cells)} |"


def document(peaks: Sequence[Peak]) -> dict[str, object]:
    """The same as data."""
    return {"name": NAME, "title": _TITLE, "results": [asdict(peak) for peak in peaks]}


def _peak(corpus: Corpus, origin: Server, clients: int, folder: str) -> int:
    wanted = Wanted.of(corpus, origin, folder)
    content = len(wanted.files) * _SIZE * clients
    with PenstockUrls(corpus.root, corpus.folder / "servers" / NAME) as server:
        answer = run_client(
            {
                "kind": "fetch",
                "port": server.port,
                "path": server.urls_path(),
                "bodies": [wanted.body(number) for number in range(clients)],
            }
        )
        if answer["bytes"] < content:
            raise RuntimeError(f"only {answer['bytes']:,.0f} bytes of {content:,} came")
        return server.peak_rss()
