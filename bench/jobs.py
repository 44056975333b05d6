"""Background jobs whose workers are killed and frozen: is any lost, ended twice, or run twice?"""

import asyncio
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from sqlalchemy import Engine, select

from bench.corpus import Corpus
from bench.effort import Effort
from bench.jobs_worker import BEGUN, KIND, LANE, effects
from bench.peers.server import PeerMissing
from bench.postgres import Postgres, postgres
from bench.table import grid
from penstock.catalog import GroupCommit, open_database, sqlite_url
from penstock.jobs import Jobs, State

NAME = "jobs"
_TITLE = "Background jobs through SIGKILL, SIGSTOP and a restart of the database"
_DOWN = 3.0  # seconds that the database is away


@dataclass(frozen=True)
class Trial:
    """``jobs`` of ``steps`` steps of ``seconds`` each, done by ``workers`` processes.

    ``strikes`` times, one ``every`` so many seconds, a random process is killed and replaced, but
    every third time stopped for ``frozen`` seconds, which is longer than its ``lease``.
    """

    jobs: int = 120
    steps: int = 10
    seconds: float = 0.5
    workers: int = 4
    strikes: int = 19
    every: float = 3.0
    lease: float = 6.0
    frozen: float = 10.0
    patience: float = 180.0


@dataclass
class Tally:
    """What became of the jobs on one kind of database.

    ``lost`` are not done in the end. ``ended_twice`` made the effect of their last step more than
    once, ``repeated`` counts the effects of any step that were made again. ``concurrent`` are jobs
    on which an attempt had an effect after a later one had begun. ``late`` counts the steps that
    an attempt began after a later one had: a process that was stopped between two instructions may
    begin one when it goes on. ``begun`` are all steps that were begun, ``ideal`` without a strike.
    """

    database: str
    jobs: int
    done: int = 0
    lost: int = 0
    ended_twice: int = 0
    concurrent: int = 0
    repeated: int = 0
    late: int = 0
    begun: int = 0
    ideal: int = 0
    kills: int = 0
    freezes: int = 0
    restarts: int = 0
    seconds: float = 0.0


def run(corpus: Corpus, effort: Effort, say: Callable[[str], None]) -> list[Tally]:
    """The whole trial on SQLite, and on PostgreSQL if it is installed."""
    strikes = min(Trial.strikes, effort.kills)
    trial = Trial(jobs=max(10, round(Trial.jobs * strikes / Trial.strikes)), strikes=strikes)
    tallies = []
    for kind in ("SQLite", "PostgreSQL"):
        say(f"{NAME}: {kind}")
        try:
            tallies.append(tried(kind, trial, corpus.folder / NAME / kind))
        except PeerMissing as missing:
            say(f"{NAME}: without {kind}: {missing}")
    return tallies


def tried(kind: str, trial: Trial, folder: Path) -> Tally:
    """One trial on ``SQLite`` or ``PostgreSQL``, in a folder of its own.

    :raises PeerMissing: PostgreSQL is not installed.
    """
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        server: Postgres | None = None
        if kind == "PostgreSQL":
            server = stack.enter_context(postgres())
        url = server.url if server is not None else sqlite_url(folder / "catalog.sqlite")
        engine = open_database(url)
        stack.callback(engine.dispose)
        effects.create(engine)
        tally = Tally(kind, trial.jobs, ideal=trial.jobs * trial.steps)
        asyncio.run(_enqueue(engine, trial))
        started = time.monotonic()
        crew = stack.enter_context(_crew(url, folder / "journal", trial))
        crew.strike(tally, server)
        engine.dispose()  # its connections went with the server
        states = asyncio.run(_ended(engine, trial))
        tally.seconds = round(time.monotonic() - started, 1)
        tally.done = sum(state is State.DONE for state in states)
        tally.lost = trial.jobs - tally.done
        _count_effects(engine, trial, tally)
        _count_lines(folder / "journal", tally)
    return tally


async def _enqueue(engine: Engine, trial: Trial) -> None:
    commits = GroupCommit(engine)
    jobs = Jobs(engine, commits)
    spec = {"steps": trial.steps, "seconds": trial.seconds}
    await asyncio.gather(
        *(jobs.enqueue(KIND, spec, key=str(number), lane=LANE) for number in range(trial.jobs))
    )
    await commits.close()


async def _ended(engine: Engine, trial: Trial) -> list[State]:
    """The states of all jobs, when they have ended or patience has."""
    commits = GroupCommit(engine)
    jobs = Jobs(engine, commits)
    until = time.monotonic() + trial.patience
    while True:
        found = await jobs.page(limit=trial.jobs)
        if all(job.ended is not None for job in found) or time.monotonic() > until:
            await commits.close()
            return [job.state for job in found]
        await asyncio.sleep(0.2)


class _Crew:
    """The processes that work."""

    def __init__(self, url: str, journal: Path, trial: Trial) -> None:
        self._url = url
        self._journal = journal
        self._trial = trial
        self._random = Random()
        self.processes = [self._start() for _ in range(trial.workers)]

    def _start(self) -> "subprocess.Popen[bytes]":
        journal = self._journal
        with journal.with_suffix(".log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "bench.jobs_worker", self._url, journal,
                 str(self._trial.lease)],
                stderr=log, cwd=Path(__file__).parents[1],
            )  # fmt: skip

    def strike(self, tally: Tally, server: Postgres | None) -> None:
        """All the strikes, and in the middle of them a restart of the database."""
        frozen: dict[subprocess.Popen[bytes], float] = {}
        begun = time.monotonic()
        for number in range(self._trial.strikes):
            self._thaw(frozen, until=begun + (number + 1) * self._trial.every)
            victim = self._random.choice([one for one in self.processes if one not in frozen])
            if number % 3 == 2:
                victim.send_signal(signal.SIGSTOP)
                frozen[victim] = time.monotonic() + self._trial.frozen
                tally.freezes += 1
            else:
                victim.kill()
                victim.wait()
                self.processes[self.processes.index(victim)] = self._start()
                tally.kills += 1
            if server is not None and number == self._trial.strikes // 2:
                server.crash()
                time.sleep(_DOWN)
                server.start()
                tally.restarts += 1
        self._thaw(frozen, until=max(frozen.values(), default=0.0))

    @staticmethod
    def _thaw(frozen: "dict[subprocess.Popen[bytes], float]", until: float) -> None:
        """Wait, and let those go on whose time has come."""
        while True:
            now = time.monotonic()
            for process in [one for one, end in frozen.items() if end <= now]:
                process.send_signal(signal.SIGCONT)
                del frozen[process]
            if now >= until:
                return
            time.sleep(min([until, *frozen.values()]) - now)


@contextmanager
def _crew(url: str, journal: Path, trial: Trial) -> Iterator[_Crew]:
    crew = _Crew(url, journal, trial)
    try:
        yield crew
    finally:
        for process in crew.processes:
            process.kill()
            process.wait()


def _count_effects(engine: Engine, trial: Trial, tally: Tally) -> None:
    """What the attempts changed, in the order in which it was committed."""
    with engine.connect() as connection:
        rows = connection.execute(select(effects).order_by(effects.c.sequence)).all()
    steps = Counter((row.job, row.step) for row in rows if row.step != BEGUN)
    tally.repeated = sum(count - 1 for count in steps.values())
    tally.ended_twice = sum(
        count > 1 for (_, step), count in steps.items() if step == trial.steps - 1
    )
    newest: dict[str, int] = {}
    overtaken = set()
    for row in rows:
        if row.token < newest.get(row.job, 0):
            overtaken.add(row.job)
        newest[row.job] = max(row.token, newest.get(row.job, 0))
    tally.concurrent = len(overtaken)


def _count_lines(journal: Path, tally: Tally) -> None:
    """What the attempts did, whether or not it had an effect."""
    newest: dict[str, int] = {}
    for line in sorted(journal.read_text().splitlines(), key=lambda line: float(line.split()[0])):
        _, job, token, _, what, *_ = line.split()
        tally.begun += what == "step"
        tally.late += what == "step" and int(token) < newest.get(job, 0)
        newest[job] = max(int(token), newest.get(job, 0))


def comparison(tallies: Sequence[Tally]) -> str:
    """As a table of plain numbers."""
    about = (
        "Every few seconds a random one of 4 worker processes with 3 places each is killed and "
        "replaced, but every third time stopped for longer than its lease; PostgreSQL is crashed "
        f"and started {_DOWN:.0f} s later in the middle."
    )
    head = [name.replace("_", " ") for name in asdict(tallies[0])]
    rows = [head, *([f"{value}" for value in asdict(tally).values()] for tally in tallies)]
    return "\n".join((f"## {_TITLE}", "", about, "", *grid(rows), ""))


def document(tallies: Sequence[Tally]) -> dict[str, object]:
    """The same as data."""
    return {"name": NAME, "title": _TITLE, "results": [asdict(tally) for tally in tallies]}
