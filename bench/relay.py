"""100 callers at once of a file of another server, through a relay that keeps it."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import ClassVar

from bench.corpus import Corpus, digest
from bench.effort import Effort
from bench.peers.penstock import Penstock
from bench.peers.relays import NginxRelay, PenstockRelay
from bench.peers.server import PeerMissing, Server
from bench.rounds import run_client
from bench.table import grid

NAME = "relay"
_TITLE = "A relay before a server, many callers at once"
_KINDS: tuple[type[PenstockRelay] | type[NginxRelay], ...] = (PenstockRelay, NginxRelay)
_CALLERS = 100
_SETTLED = 0.3  # seconds; the log gathers lines for 50 ms


@dataclass
class Times:
    """One round: what the upstream was asked for content, and what it cost the relay."""

    fetches: int
    fetched: int
    cpu_seconds: float
    seconds: float


@dataclass
class Crowd:
    """The rounds of one relay; ``cold`` with an empty cache, ``warm`` again with the file in it."""

    server: str
    note: str
    size: int
    cold: list[Times] = field(default_factory=list)
    warm: list[Times] = field(default_factory=list)
    peak_rss: int = 0


class Origin(Penstock):
    """The server that has the file; its log tells what it was asked for."""

    settings: ClassVar[dict[str, str]] = {"log_format": "json"}

    def sent(self) -> list[int]:
        """The bytes of each answer with content so far."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line["sent"] for line in lines if line["event"] == "request" and line["sent"]]


def run(corpus: Corpus, effort: Effort, say: Callable[[str], None]) -> list[Crowd]:
    """A file of 64 MiB (of a corpus of 1 GiB; less of a smaller one)."""
    size = corpus.size // 16
    key = f"{corpus.many(f'relayed-{size}', 1, size)}/00000.bin"
    crowds = {kind: Crowd(kind.name, kind.note, size) for kind in _KINDS}
    scratch = corpus.folder / "servers" / NAME
    with Origin(corpus.root, scratch / "origin") as origin:
        for number in range(effort.runs):
            say(f"{NAME}: round {number + 1} of {effort.runs}")
            for kind, crowd in list(crowds.items()):
                try:
                    with kind(
                        corpus.root, scratch / f"{kind.__name__}-{number}", origin.port
                    ) as one:
                        _round(one, origin, corpus.root / key, key, crowd)
                except PeerMissing as missing:
                    say(f"{NAME}: without {kind.name}: {missing}")
                    del crowds[kind]
    return list(crowds.values())


def _round(relay: Server, origin: Origin, file: Path, key: str, crowd: Crowd) -> None:
    crowd.cold.append(_crowd(relay, origin, key, crowd.size))
    crowd.warm.append(_crowd(relay, origin, key, crowd.size))
    kept = relay.scratch / "kept"
    run_client({**_job(relay, key), "keep": str(kept)})
    if digest(kept) != digest(file):
        raise RuntimeError(f"{relay.name} sent other bytes than the file's")
    crowd.peak_rss = max(crowd.peak_rss, relay.peak_rss())


def _crowd(relay: Server, origin: Origin, key: str, size: int) -> Times:
    before, cpu = len(origin.sent()), relay.cpu_seconds()
    answer = run_client({**_job(relay, key), "connections": _CALLERS})
    if answer["bytes"] != size * _CALLERS:
        raise RuntimeError(f"{relay.name} sent {answer['bytes']:,.0f} bytes")
    cpu = relay.cpu_seconds() - cpu
    fetched = _settled(origin)[before:]
    return Times(len(fetched), sum(fetched), cpu, answer["seconds"])


def _settled(origin: Origin) -> list[int]:
    """What was fetched, once the origin has written its log."""
    time.sleep(_SETTLED)
    return origin.sent()


def _job(relay: Server, key: str) -> dict[str, object]:
    return {"kind": "fetch", "port": relay.port, "path": relay.file_path(key)}


def comparison(crowds: Sequence[Crowd]) -> str:
    """As a table of medians; the ratios are to the first of the others."""
    first = crowds[0]
    about = (
        f"{_CALLERS} callers of a file of {first.size / (1 << 20):.0f} MiB, "
        f"{len(first.cold)} rounds, medians. CPU is that of the relay."
    )
    head = ("relay", "cache", "fetches", "fetched ÷ file", "CPU s/GiB sent", "s", "peak RSS MB")
    rows: list[tuple[str, ...]] = [head]
    for crowd in crowds:
        for name, times in (("empty", crowd.cold), ("full", crowd.warm)):
            rows.append(_row(crowd, name, times))
    notes = [f"- {crowd.server}: {crowd.note}" for crowd in crowds]
    return "\n".join((f"## {_TITLE}", "", about, "", *grid(rows), "", *notes, ""))


def _row(crowd: Crowd, cache: str, times: Sequence[Times]) -> tuple[str, ...]:
    sent = crowd.size * _CALLERS / (1 << 30)
    return (
        crowd.server,
        cache,
        f"{median(one.fetches for one in times):.0f}",
        f"{median(one.fetched for one in times) / crowd.size:.2f}",
        f"{median(one.cpu_seconds for one in times) / sent:.3f}",
        f"{median(one.seconds for one in times):.3f}",
        f"{crowd.peak_rss / 1e6:.1f}",
    )


def document(crowds: Sequence[Crowd]) -> dict[str, object]:
    """The same with every round."""
    return {"name": NAME, "title": _TITLE, "results": [asdict(crowd) for crowd in crowds]}
