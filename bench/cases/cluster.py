"""One large file and many small ones are put and got: nodes of ours, a folder, parts in sequence.

Each run begins with fresh processes and empty folders. Everything runs on one machine, so that more
nodes do not bring more disks or processors: what is seen is what spreading costs, and what it gains
by doing things at once.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from bench.client import Job
from bench.corpus import MIB, Corpus, digest
from bench.effort import Effort
from bench.peers.clusters import Cluster, Folder, Running, Sequential
from bench.rounds import GIB, run_client
from bench.table import grid, spread

NAME = "cluster"
_TITLE = "Files on storage nodes"
_SMALL = 100 << 10
_CONNECTIONS = 8
System = Cluster | Folder | Sequential
SYSTEMS: tuple[System, ...] = (
    Cluster(6, 2),
    Cluster(6, 1),
    Cluster(1, 1),
    Cluster(2, 2),
    Cluster(3, 2),
    Folder(),
    Sequential(6),
)
"""The first is what the others are compared with."""


@dataclass(frozen=True)
class Content:
    """Files by their keys, and at how many connections they are sent and fetched."""

    name: str
    files: Sequence[str]
    size: int
    connections: int

    @property
    def payload(self) -> int:
        return len(self.files) * self.size

    def job(self, kind: str, running: Running, corpus: Corpus, connections: int) -> Job:
        """All files, dealt out to the connections."""
        files = [
            {"path": running.gateway.file_path(key), "file": str(corpus.root / key)}
            for key in self.files
        ]
        return {
            "kind": kind,
            "path": self.name,
            "port": running.gateway.port,
            "size": self.size,
            "shares": [files[first::connections] for first in range(connections)],
        }


@dataclass
class Moved:
    """The runs of one system with one content in one direction; CPU is in seconds."""

    system: str
    note: str
    content: str
    direction: str
    files: int
    payload: int
    seconds: list[float] = field(default_factory=list)
    gateway_cpu: list[float] = field(default_factory=list)
    nodes_cpu: list[float] = field(default_factory=list)
    gateway_rss: int = 0
    node_rss: int = 0

    @property
    def cpu(self) -> list[float]:
        """Of all processes."""
        return [a + b for a, b in zip(self.gateway_cpu, self.nodes_cpu, strict=True)]


_Results = dict[tuple[str, str, str], Moved]


def run(corpus: Corpus, effort: Effort, say: Callable[[str], None]) -> list[Moved]:
    """All rounds, the systems in turn."""
    contents = (
        Content("one file", [corpus.file()], corpus.size, 1),
        Content("small files", _small(corpus, effort.files), _SMALL, _CONNECTIONS),
    )
    results: _Results = {
        (system.name, content.name, direction): Moved(
            system.name, system.note, content.name, direction, len(content.files), content.payload
        )
        for content in contents
        for direction in ("put", "get")
        for system in SYSTEMS
    }
    warm = Content("warming up", [corpus.many("warm", 1, _SMALL) + "/00000.bin"], _SMALL, 1)
    for number in range(effort.runs):
        for system in SYSTEMS:
            say(f"{NAME}: round {number + 1} of {effort.runs}: {system.name}")
            one = _Round(system, corpus, warm, contents, results, checked=number == 0)
            _fresh(system, corpus, one)
    return list(results.values())


def _small(corpus: Corpus, count: int) -> list[str]:
    folder = corpus.many(f"clustered-{count}", count, _SMALL)
    return sorted(f"{folder}/{path.name}" for path in (corpus.root / folder).iterdir())


def _fresh(system: System, corpus: Corpus, use: Callable[[Running], None]) -> None:
    """Run it on empty folders, and leave nothing."""
    scratch = corpus.folder / "servers" / NAME
    scratch.mkdir(parents=True)
    try:
        with system.running(scratch) as running:
            use(running)
    finally:
        shutil.rmtree(scratch)


def _check(running: Running, corpus: Corpus, content: Content) -> None:
    """What was put comes back.

    :raises RuntimeError: other bytes do.
    """
    kept, wanted = corpus.folder / "kept", hashlib.sha256()
    run_client({**content.job("gets", running, corpus, 1), "keep": str(kept)})
    for key in content.files:
        with (corpus.root / key).open("rb") as file:
            while data := file.read(MIB):
                wanted.update(data)
    if digest(kept) != wanted.hexdigest():
        raise RuntimeError(f"{running.gateway.name} sent other bytes than it was sent")
    kept.unlink()


@dataclass(frozen=True)
class _Round:
    """One run of one system, with everything; what comes back is ``checked`` at last."""

    system: System
    corpus: Corpus
    warm: Content
    contents: Sequence[Content]
    results: _Results
    checked: bool

    def __call__(self, running: Running) -> None:
        for kind in ("puts", "gets"):
            run_client(self.warm.job(kind, running, self.corpus, 1))
        for content in self.contents:
            for direction in ("put", "get"):
                os.sync()  # the disk's own work must not reach into the next run
                self._measure(running, content, direction)
        if self.checked:
            for content in self.contents:
                _check(running, self.corpus, content)

    def _measure(self, running: Running, content: Content, direction: str) -> None:
        result = self.results[self.system.name, content.name, direction]
        job = content.job(f"{direction}s", running, self.corpus, content.connections)
        gateway, nodes = running.cpu_seconds()
        answer = run_client(job)
        if answer["bytes"] != content.payload:
            told = f"{answer['bytes']:,.0f} bytes of {content.payload:,}"
            raise RuntimeError(f"{self.system.name} moved {told}")
        after = running.cpu_seconds()
        result.seconds.append(answer["seconds"])
        result.gateway_cpu.append(after[0] - gateway)
        result.nodes_cpu.append(after[1] - nodes)
        held = running.peak_rss()
        result.gateway_rss = max(result.gateway_rss, held[0])
        result.node_rss = max(result.node_rss, held[1])


def comparison(results: Sequence[Moved]) -> str:
    """A table for each content and direction; ratios are taken round by round."""
    first = results[0]
    about = (
        f"{len(first.seconds)} rounds, medians (least–most). Peak memory is since the start of the "
        "process, of the gateway and of the largest node. The CPU of a ratio is that of all."
    )
    lines = [f"## {_TITLE}", "", about, ""]
    for content, direction in dict.fromkeys((one.content, one.direction) for one in results):
        group = [one for one in results if (one.content, one.direction) == (content, direction)]
        lines += [
            _heading(group[0]),
            "",
            *grid([_HEAD, *(_row(one, group[0]) for one in group)]),
            "",
        ]
    lines += [*dict.fromkeys(f"- {one.system}: {one.note}" for one in results), ""]
    return "\n".join(lines)


_HEAD = (
    *("system", "MiB/s", "CPU s/GiB: gateway", "all nodes", "peak RSS MB: gateway", "node"),
    *("our CPU ÷ its", "our time ÷ its"),
)


def _heading(one: Moved) -> str:
    size = one.payload / one.files
    each = f"{size / (1 << 20):,.0f} MiB" if size >= 1 << 20 else f"{size / 1024:,.0f} KiB"
    return f"### {one.direction} of {one.files:,} × {each}"


def _row(one: Moved, ours: Moved) -> tuple[str, ...]:
    gib = one.payload / GIB
    cells = (
        one.system,
        spread([one.payload / (1 << 20) / seconds for seconds in one.seconds], ",.0f"),
        spread([cpu / gib for cpu in one.gateway_cpu], ".2f"),
        spread([cpu / gib for cpu in one.nodes_cpu], ".2f") if one.node_rss else "",
        f"{one.gateway_rss / 1e6:.0f}",
        f"{one.node_rss / 1e6:.0f}" if one.node_rss else "",
    )
    if one is ours:
        return (*cells, "", "")
    return (*cells, _ratio(ours.cpu, one.cpu), _ratio(ours.seconds, one.seconds))


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    return spread([a / b for a, b in zip(ours, theirs, strict=True)], ".2f")


def document(results: Sequence[Moved]) -> dict[str, object]:
    """The same with every round."""
    return {"name": NAME, "title": _TITLE, "results": [asdict(one) for one in results]}
