"""One scenario from its samples to its report."""

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from bench.measure import machine
from load import plot, sample, server, stages
from load.job import Job, Mark, Sample, Transfer
from load.report import Report
from load.watch import Return, Watch, returns
from load.wire import Wire, file_path

_MIB = 1 << 20


@dataclass(frozen=True)
class Effort:
    """How much is done; bytes and seconds. ``patience``: until the server must have let go."""

    files: int
    size: int
    large: int
    rate: int
    pause: float
    rest: float
    grace: float
    patience: float
    interval: float
    tick: float
    warm_up: tuple[stages.Stage, ...]
    stages: tuple[stages.Stage, ...]
    timeout: float = 180.0


FULL = Effort(
    files=10,
    size=4 * _MIB,
    large=64 * _MIB,
    rate=2 * _MIB,
    pause=1.0,
    rest=5.0,
    grace=60.0,
    patience=60.0,
    interval=0.5,
    tick=1.0,
    warm_up=stages.FULL_WARM_UP,
    stages=stages.FULL,
)
SHORT = Effort(
    files=10,
    size=_MIB // 8,
    large=16 * _MIB,
    rate=_MIB // 4,
    pause=0.25,
    rest=0.6,
    grace=30.0,
    patience=15.0,
    interval=0.1,
    tick=0.25,
    warm_up=stages.SHORT_WARM_UP,
    stages=stages.SHORT,
)


@dataclass
class _Told:
    """What Locust's process said."""

    marks: list[Mark] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    trouble: str = ""

    def take(self, line: str) -> None:
        document: dict[str, Any] = json.loads(line)
        if "mark" in document:
            self.marks.append(Mark(**document["mark"]))
        elif "transfer" in document:
            self.transfers.append(Transfer(**document["transfer"]))
        else:
            self.trouble = document["broken"]

    def at(self, name: str) -> float:
        return next(mark.at for mark in self.marks if mark.name == name)


@dataclass(frozen=True)
class Target:
    """A server that runs elsewhere; without an address one is started for the run.

    ``origin`` is the address of this machine by which it reaches the files to be zipped.
    """

    url: str = ""
    token: str = ""
    origin: str = "127.0.0.1"


class Run:
    """Files, servers and results of one scenario, in ``folder``."""

    def __init__(self, scenario: str, effort: Effort, target: Target, folder: Path) -> None:
        self._scenario = scenario
        self._effort = effort
        self._target = target
        self._folder = folder

    def report(self, stem: Path, seed: int) -> Report:
        """Do it; ``stem`` with ``.json``, ``.md`` and ``.svg`` is written.

        :raises RuntimeError: a server does not start, or the run ends too early.
        """
        with ExitStack() as running:
            files = self._folder / "samples"
            made = _samples(files, self._effort, seed)
            origin = running.enter_context(server.origin(self._folder, files, self._target.origin))
            url, pid = self._target.url, None
            if not url:
                own = running.enter_context(server.penstock(self._folder))
                url, pid = own.url, own.process.pid
            job = self._job(url, origin.url, made, seed)
            running.callback(_remove, job)
            _put(job)
            watch = running.enter_context(Watch(url, job.token, pid, self._effort.interval))
            told = _swarm(job, self._folder / "swarm.log")
            return self._written(told, watch, stem)

    def _job(self, url: str, origin: str, made: Sequence[Sample], seed: int) -> Job:
        effort, prefix = self._effort, f"load/{uuid.uuid4().hex[:12]}"
        placed = [
            replace(one, url=f"{origin}/{one.name}", key=f"{prefix}/samples/{one.name}")
            for one in made
        ]
        large = replace(placed[-1], key=f"{prefix}/{placed[-1].name}")
        return Job(
            scenario=self._scenario,
            url=url,
            token=self._target.token,
            prefix=prefix,
            files=tuple(placed[:-1]),
            large=large,
            warm_up=effort.warm_up,
            stages=effort.stages,
            tick=effort.tick,
            pause=effort.pause,
            rest=effort.rest,
            timeout=effort.timeout,
            grace=effort.grace,
            rate=effort.rate,
            scratch=str(self._folder),
            seed=seed,
        )

    def _written(self, told: _Told, watch: Watch, stem: Path) -> Report:
        rest, run, after = told.at("rest"), told.at("run"), told.at("after")

        def returned() -> list[Return]:
            return returns(
                watch.between(rest, run),
                watch.between(run, after),
                watch.between(after, time.time()),
            )

        watch.wait_until(
            lambda: bool(found := returned()) and all(one.holds for one in found),
            self._effort.patience,
        )
        report = Report(
            self._scenario, after - run, told.transfers, returned(), trouble=told.trouble
        )
        about = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **machine()}
        document = {"about": about, **report.document()}
        document["marks"] = [asdict(mark) for mark in told.marks]
        document["holdings"] = [asdict(one) for one in watch.holdings]
        stem.with_suffix(".json").write_text(json.dumps(document, indent=1))
        stem.with_suffix(".md").write_text(report.text())
        title = f"{self._scenario}: what the server held"
        picture = plot.drawn(title, watch.holdings, told.marks, report.returned)
        stem.with_suffix(".svg").write_text(picture)
        return report


def _samples(folder: Path, effort: Effort, seed: int) -> list[Sample]:
    """The files, the large one last; half of the others are tables, which deflate."""
    folder.mkdir()
    made = []
    for number in range(effort.files):
        kind, suffix = ((sample.noise, "bin"), (sample.csv, "csv"))[number % 2]
        path = folder / f"{number:02}.{suffix}"
        digest = sample.write(path, kind(effort.size, seed + number))
        made.append(Sample(str(path), "", "", effort.size, digest))
    path = folder / "large.bin"
    digest = sample.write(path, sample.noise(effort.large, seed - 1))
    return [*made, Sample(str(path), "", "", effort.large, digest)]


def _put(job: Job) -> None:
    wire = Wire(job.url, job.token, job.timeout)
    for one in (*job.files, job.large):
        fields = {"Content-Length": str(one.size)}
        with open(one.path, "rb") as file:
            wire.ask("PUT", file_path(one.key), 201, fields=fields, body=_pieces(file)).read()
    wire.close()


def _remove(job: Job) -> None:
    """Leave the server as it was found."""
    wire = Wire(job.url, job.token, job.timeout)
    for one in (*job.files, job.large):
        wire.ask("DELETE", file_path(one.key), 200, 204, 404).read()
    wire.close()


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(_MIB), b"")


def _swarm(job: Job, log: Path) -> _Told:
    """Run Locust in a process of its own.

    :raises RuntimeError: it ends otherwise than it should.
    """
    told = _Told()
    with log.open("ab") as errors:
        swarm = subprocess.Popen(
            [sys.executable, "-m", "load.swarm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=Path(__file__).parents[1],
        )
    assert swarm.stdin is not None
    assert swarm.stdout is not None
    seconds = sum(stage.seconds for stage in (*job.warm_up, *job.stages))
    longest = threading.Timer(seconds + job.rest + 4 * job.grace + 60, swarm.kill)
    longest.start()
    try:
        swarm.stdin.write(job.to_json())
        swarm.stdin.close()
        for line in swarm.stdout:
            told.take(line)
        code = swarm.wait()
    finally:
        longest.cancel()
        swarm.kill()
        swarm.wait()
        swarm.stdout.close()
    if code != 0:
        raise RuntimeError(f"Locust ended with {code}:\n{log.read_text()[-2000:]}")
    return told
