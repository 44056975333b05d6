"""An upload whose client fell silent, with its connection open, is resumed by another client."""

import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from threading import Event

from bench.connection import Connection, Refused, opened
from bench.corpus import Corpus, digest
from bench.effort import Effort
from bench.peers.penstock import Penstock
from bench.peers.server import PeerMissing, Server
from bench.peers.tus_node import TusNode
from bench.peers.tus_py import TusPy, TusPyStorage
from bench.table import grid

NAME = "tus-resume"
_TITLE = "A silent tus upload is resumed by another client"
_SERVERS = (Penstock, TusNode, TusPy, TusPyStorage)
_KEY = "stalled/file.bin"
_SILENCE = 1.0  # seconds before the other client comes
_DELAYS = (0.0, 1.0, 3.0, 5.0)  # what tus-js-client waits before its tries, in seconds
_PAUSE = 0.01  # seconds between the unrelated requests


@dataclass
class Round:
    """One upload; times are seconds since the other client came, None if it was given up.

    ``head`` is the time until HEAD was answered, and ``told`` the offset in it; ``waited`` the
    longest that an unrelated request took meanwhile.
    """

    head: float | None = None
    told: int | None = None
    done: float | None = None
    waited: float = 0
    wrong: bool = False


@dataclass
class Resumption:
    """All rounds of a server: ``sent`` of ``size`` bytes were sent before the silence."""

    server: str
    note: str
    size: int
    sent: int
    rounds: list[Round] = field(default_factory=list)


def run(corpus: Corpus, effort: Effort, say: Callable[[str], None]) -> list[Resumption]:
    """20 MiB of 64 MiB have been sent (of a corpus of 1 GiB; less of a smaller one)."""
    size = corpus.size // 16
    source = corpus.root / corpus.many(f"stalled-{size}", 1, size) / "00000.bin"
    results = {kind: Resumption(kind.name, kind.note, size, size * 5 // 16) for kind in _SERVERS}
    for number in range(effort.runs):
        say(f"{NAME}: round {number + 1} of {effort.runs}")
        for kind, result in list(results.items()):
            root = corpus.folder / NAME / f"{kind.__name__}-{number}"
            root.mkdir(parents=True)
            try:
                result.rounds.append(_round(root, kind, source, result, effort.patience))
            except PeerMissing as missing:
                say(f"{NAME}: without {kind.name}: {missing}")
                del results[kind]
    return list(results.values())


def _round(
    root: Path, kind: type[Server], source: Path, result: Resumption, patience: float
) -> Round:
    """On a server of its own: one that hangs must not disturb the next round."""
    outcome = Round()
    enough = Event()
    with (
        kind(root, root.with_suffix(".scratch")) as server,
        opened(source) as fd,
        Connection(server.port) as silent,
        Connection(server.port) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        path = silent.create(server.tus_path(), _KEY, result.size)
        silent.begin_patch(path, 0, result.size)
        silent.send(fd, 0, result.sent)
        unrelated = other.create(server.tus_path(), "other/file.bin", 1)
        time.sleep(_SILENCE)
        asked = pool.submit(_longest_wait, other, unrelated, enough)
        resumed = pool.submit(_resume, server, path, fd, result.size, outcome, enough)
        wait([resumed], timeout=patience)
        enough.set()
        server.kill()  # which ends whatever still waits for an answer
        resumed.result()
        outcome.waited = asked.result()
        if outcome.done is not None:
            outcome.wrong = digest(server.tus_file(_KEY, path)) != digest(source)
    return outcome


def _resume(server: Server, path: str, fd: int, size: int, outcome: Round, enough: Event) -> None:
    started = time.perf_counter()
    for delay in itertools.chain(_DELAYS, itertools.repeat(_DELAYS[-1])):
        if enough.wait(delay):
            return
        with suppress(Refused, OSError), Connection(server.port) as connection:
            offset = connection.offset(path)
            if outcome.head is None:
                outcome.head, outcome.told = time.perf_counter() - started, offset
            connection.begin_patch(path, offset, size - offset)
            connection.send(fd, offset, size)
            connection.end_patch()
            outcome.done = time.perf_counter() - started
            return


def _longest_wait(connection: Connection, path: str, enough: Event) -> float:
    """Somebody asks for the offset of another upload meanwhile, over and over."""
    longest = 0.0
    while not enough.wait(_PAUSE):
        started = time.perf_counter()
        try:
            connection.offset(path)
        except OSError:
            if not enough.is_set():
                raise
        longest = max(longest, time.perf_counter() - started)
    return longest


def comparison(results: Sequence[Resumption]) -> str:
    """As a table of medians."""
    first = results[0]
    about = (
        f"{_mib(first.sent)} of {_mib(first.size)} in one PATCH, then {_SILENCE:.0f} s of silence "
        "with the connection open; another client sends HEAD, then the rest, and tries again as "
        f"tus-js-client does. {len(first.rounds)} rounds, medians."
    )
    head = (
        "server",
        "HEAD answered after s",
        "offset told",
        "all done after s",
        "longest wait of another request s",
        "wrong files",
    )
    rows = [head, *(_row(result) for result in results)]
    notes = [f"- {result.server}: {result.note}" for result in results]
    return "\n".join((f"## {_TITLE}", "", about, "", *grid(rows), "", *notes, ""))


def _row(result: Resumption) -> list[str]:
    rounds = result.rounds
    told = [one.told for one in rounds if one.told is not None]
    return [
        result.server,
        _times([one.head for one in rounds]),
        _mib(median(told)) if told else "none",
        _times([one.done for one in rounds]),
        _times([one.waited for one in rounds]),
        f"{sum(one.wrong for one in rounds)}",
    ]


def _times(values: Sequence[float | None]) -> str:
    """The median of what came to an end, and how often nothing did."""
    ended = [value for value in values if value is not None]
    texts = [f"{median(ended):.3f}"] if ended else []
    if never := len(values) - len(ended):
        texts.append(f"never in {never} of {len(values)} rounds")
    return ", ".join(texts)


def document(results: Sequence[Resumption]) -> dict[str, object]:
    """The same with every single round."""
    return {"name": NAME, "title": _TITLE, "results": [asdict(result) for result in results]}


def _mib(size: float) -> str:
    return f"{size / (1 << 20):.1f} MiB"
