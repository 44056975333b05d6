"""Servers are killed at random moments of tus uploads: are the files right in the end?"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from threading import Event, Timer

from bench.connection import Connection, Refused, opened
from bench.corpus import MIB, Corpus, wrong_bytes
from bench.effort import Effort
from bench.peers.penstock import Penstock
from bench.peers.server import PeerMissing, Server
from bench.peers.tus_node import TusNode
from bench.peers.tus_py import TusPy, TusPyStorage
from bench.table import grid

NAME = "tus-kills"
_TITLE = "tus uploads through SIGKILLs of the server"
_SERVERS = (Penstock, TusNode, TusPy, TusPyStorage)
_TRIES = 5  # refusals of one upload in a row after which it is given up
_PAUSE = 1.0  # seconds between them
_PATIENCE = 40.0  # seconds without an answer
_PIECE = 256 << 10


@dataclass
class Tally:
    """What a server's uploads of ``size`` bytes came to.

    ``uploads`` were confirmed, ``wrong_files`` of them are not what was sent. ``lost`` are those
    that the server did not know any more or would not go on with. ``taken_back`` counts offsets
    below one that had been confirmed, ``resumes`` the HEADs after which an upload went on,
    ``again`` the bytes that had to be sent again, ``refusals`` are the answers other than 2xx, and
    what else went wrong without a kill.
    """

    server: str
    note: str
    size: int
    kills: int = 0
    uploads: int = 0
    wrong_files: int = 0
    wrong_bytes: int = 0
    lost: int = 0
    taken_back: int = 0
    resumes: int = 0
    again: int = 0
    refusals: list[str] = field(default_factory=list)


def run(corpus: Corpus, effort: Effort, say: Callable[[str], None]) -> list[Tally]:
    """Uploads of 64 MiB (of a corpus of 1 GiB), one after the other, until the kills are done."""
    size = corpus.size // 16
    source = corpus.root / corpus.many(f"killed-{size}", 1, size) / "00000.bin"
    tallies = []
    for kind in _SERVERS:
        say(f"{NAME}: {kind.name}")
        root = corpus.folder / NAME / kind.__name__
        root.mkdir(parents=True)
        tally = Tally(kind.name, kind.note, size)
        try:
            with kind(root, root.with_suffix(".scratch")) as server, opened(source) as fd:
                _Series(server, source, fd, tally).run(effort.kills)
                server.kill()
        except PeerMissing as missing:
            say(f"{NAME}: without {kind.name}: {missing}")
            continue
        tallies.append(tally)
    return tallies


class _Series:
    """Uploads to one server, of which every one may meet several kills."""

    def __init__(self, server: Server, source: Path, fd: int, tally: Tally) -> None:
        self._server = server
        self._source = source
        self._fd = fd
        self._tally = tally
        self._kills = 0
        self._random = Random()
        self._seconds = 0.0  # what the last undisturbed upload took
        self._number = 0
        self._sent = 0  # up to where the current upload has been sent

    def run(self, kills: int) -> None:
        """Upload until the server has been killed so often, and finish what is begun."""
        for _ in range(2):  # the first one warms everything up
            self._upload()
        self._kills = kills
        while self._tally.kills < kills:
            self._upload()

    def _upload(self) -> None:
        """One file, with as many tries as it takes."""
        self._number += 1
        self._sent = 0
        key = f"killed/{self._number}.bin"
        path, promised, tries = "", 0, 0
        started = time.perf_counter()
        while tries < _TRIES:
            try:
                with self._killer() as struck, self._connected() as there:
                    if path:
                        offset = self._offset(there, path, promised)
                    else:
                        path, offset = there.create(*self._wanted(key)), 0
                    while offset < self._tally.size:
                        offset = promised = self._patch(there, path, offset)
                        tries = 0
            except Refused as refused:
                self._tally.refusals.append(str(refused))
                if refused.status in (404, 410):
                    break
            except OSError as error:
                if struck.is_set():
                    continue
                self._tally.refusals.append(repr(error))
            else:
                if not self._kills:
                    self._seconds = time.perf_counter() - started
                self._compare(self._server.tus_file(key, path))
                return
            tries += 1
            time.sleep(_PAUSE)
        self._tally.lost += 1

    def _connected(self) -> Connection:
        return Connection(self._server.port, patience=_PATIENCE)

    def _wanted(self, key: str) -> tuple[str, str, int]:
        return self._server.tus_path(), key, self._tally.size

    def _offset(self, connection: Connection, path: str, promised: int) -> int:
        offset = connection.offset(path)
        self._tally.resumes += 1
        self._tally.taken_back += offset < promised
        self._tally.again += max(0, self._sent - offset)
        return offset

    def _patch(self, connection: Connection, path: str, offset: int) -> int:
        """All that is left, or a random part of it."""
        left = self._tally.size - offset
        stop = offset + (left if self._random.random() < 0.5 else self._random.randint(1, left))
        connection.begin_patch(path, offset, stop - offset)
        for at in range(offset, stop, _PIECE):
            end = min(at + _PIECE, stop)
            connection.send(self._fd, at, end)
            self._sent = max(self._sent, end)
        return connection.end_patch()

    @contextmanager
    def _killer(self) -> Iterator[Event]:
        """Kill the server at a random moment, unless the work is done before, and restart it.

        The event is set when it has been killed.
        """
        struck = Event()
        if self._tally.kills >= self._kills:
            yield struck
            return

        def strike() -> None:
            os.kill(self._server.pid, signal.SIGKILL)
            struck.set()

        # Of whole uploads half get through, so that there are many, with some kills each.
        timer = Timer(self._random.random() * 2 * self._seconds, strike)
        timer.start()
        try:
            yield struck
        finally:
            timer.cancel()
            timer.join()
            if struck.is_set():
                self._tally.kills += 1
                self._server.kill()
                self._server.start()

    def _compare(self, stored: Path) -> None:
        self._tally.uploads += 1
        wrong = wrong_bytes(stored, self._source) if stored.exists() else self._tally.size
        self._tally.wrong_files += wrong > 0
        self._tally.wrong_bytes += wrong
        stored.unlink(missing_ok=True)


def comparison(tallies: Sequence[Tally]) -> str:
    """As a table of plain numbers."""
    about = (
        f"Uploads of {tallies[0].size / MIB:.0f} MiB one after the other, in PATCHes of random "
        "size; after each kill the server is started again on the same folder and port, and the "
        "client goes on where HEAD says."
    )
    head = (
        "server",
        "kills",
        "uploads confirmed",
        "wrong files",
        "wrong bytes",
        "lost uploads",
        "confirmed offsets taken back",
        "resumes",
        "refusals",
        "MiB sent again",
    )
    rows = [head, *(_row(tally) for tally in tallies)]
    notes = [f"- {tally.server}: {tally.note}" for tally in tallies]
    return "\n".join((f"## {_TITLE}", "", about, "", *grid(rows), "", *notes, ""))


def _row(tally: Tally) -> list[str]:
    counts = (
        tally.kills,
        tally.uploads,
        tally.wrong_files,
        tally.wrong_bytes,
        tally.lost,
        tally.taken_back,
        tally.resumes,
        len(tally.refusals),
        tally.again // MIB,
    )
    return [tally.server, *(f"{count:,}" for count in counts)]


def document(tallies: Sequence[Tally]) -> dict[str, object]:
    """The same as data."""
    return {"name": NAME, "title": _TITLE, "results": [asdict(tally) for tally in tallies]}
