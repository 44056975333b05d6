"""One benchmark: every server in turn, round after round."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench import client
from bench.corpus import Corpus
from bench.peers.server import PeerMissing, Server

GIB = 1 << 30


@dataclass
class Result:
    """What one server's runs of one benchmark came to.

    ``payload`` is the bytes of content of each run, ``moved`` those that passed the wire for it.
    """

    server: str
    note: str
    payload: int
    moved: float = 0
    cpu_seconds: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    peak_rss: int = 0

    @property
    def cpu_per_gib(self) -> list[float]:
        return [value * GIB / self.payload for value in self.cpu_seconds]

    @property
    def mib_per_second(self) -> list[float]:
        return [self.payload / (1 << 20) / value for value in self.seconds]


@dataclass(frozen=True)
class Plan:
    """What is asked of every server, and how its answer is proven right.

    ``verify`` gets what the client kept of one answer. ``prepare`` runs once, ``reset`` before
    every run; neither is timed.
    """

    payload: int
    job: Callable[[Server], client.Job]
    verify: Callable[[Server, Path], None]
    root: Callable[[type[Server]], Path]
    prepare: Callable[[Server], None] = lambda _: None
    reset: Callable[[Server], None] = lambda _: None


@dataclass(frozen=True)
class Benchmark:
    """Compares the servers; the first ``ours`` of them are ours.

    ``plan`` may leave with the stack what has to run beside the servers. ``shrinks`` says that
    the answers are smaller than the content, so that their sizes are compared too.
    """

    name: str
    title: str
    servers: Sequence[type[Server]]
    plan: Callable[[Corpus, ExitStack], Plan]
    ours: int = 1
    shrinks: bool = False
    compared: str = "server"

    def run(self, corpus: Corpus, runs: int, say: Callable[[str], None]) -> list[Result]:
        """All rounds, the servers in turn: A B C A B C …

        :raises PeerMissing: something that all servers need is not installed.
        """
        with ExitStack() as running:
            plan = self.plan(corpus, running)
            servers = self._start(running, corpus, plan, say)
            results = [Result(server.name, server.note, plan.payload) for server in servers]
            say(f"{self.name}: checking every server's answer")
            for server, result in zip(servers, results, strict=True):
                result.moved = _check(server, plan, corpus.folder / "kept")
            for number in range(runs):
                say(f"{self.name}: round {number + 1} of {runs}")
                for server, result in zip(servers, results, strict=True):
                    _measure(server, plan, result)
            for server, result in zip(servers, results, strict=True):
                server.require_running()
                result.peak_rss = server.peak_rss()
        return results

    def _start(
        self, running: ExitStack, corpus: Corpus, plan: Plan, say: Callable[[str], None]
    ) -> list[Server]:
        started: list[Server] = []
        for kind in self.servers:
            scratch = corpus.folder / "servers" / self.name / kind.__name__
            try:
                started.append(running.enter_context(kind(plan.root(kind), scratch)))
            except PeerMissing as missing:
                say(f"{self.name}: without {kind.name}: {missing}")
        return started


def run_client(job: client.Job) -> dict[str, float]:
    """Do a job with the load generator, in its own process."""
    # -S, because it needs nothing that is installed, and so starts fast.
    command = [sys.executable, "-S", "-m", client.__name__]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run(
        command, input=json.dumps(job), capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise RuntimeError(f"{job['kind']} {job['path']} failed:\n{done.stderr}")
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def _check(server: Server, plan: Plan, keep: Path) -> float:
    """One verified run, which also warms everything up; answers the bytes a timed run will move."""
    plan.prepare(server)
    plan.reset(server)
    job = plan.job(server)
    answer = run_client({**job, "keep": str(keep), "connections": 1})
    plan.verify(server, keep)
    keep.unlink(missing_ok=True)
    connections: int = job.get("connections", 1)
    return answer["bytes"] * connections


def _measure(server: Server, plan: Plan, result: Result) -> None:
    plan.reset(server)
    job = plan.job(server)
    before = server.cpu_seconds()
    answer = run_client(job)
    result.cpu_seconds.append(server.cpu_seconds() - before)
    result.seconds.append(answer["seconds"])
    if answer["bytes"] != result.moved:
        told = f"{answer['bytes']:,.0f} bytes where {result.moved:,.0f} were right"
        raise RuntimeError(f"{server.name} moved {told}")
