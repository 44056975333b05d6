"""The process in which Locust runs, apart from all others: it changes the standard library's
sockets and threads (gevent).

``python -m load.swarm`` reads a :class:`~load.job.Job` from standard input, and prints a line of
JSON for each :class:`~load.job.Transfer` and each :class:`~load.job.Mark`.
"""

import gevent  # noqa: I001 - before anything that opens a socket
from locust.env import Environment
from locust.runners import LocalRunner

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict

from load.job import Job, Mark, Transfer
from load.stages import Stage, steps
from load.users import USERS, Transferring
from load.wire import Wrong

_SPAWN_RATE = 100


class Swarm:
    """The users of one scenario."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._phase = "warm-up"
        users = USERS[job.scenario]
        Transferring.job = job
        self._environment = Environment(user_classes=[*users], stop_timeout=job.grace)
        events = self._environment.events
        events.request.add_listener(self._ended)  # type: ignore[no-untyped-call]
        events.user_error.add_listener(self._broken)  # type: ignore[no-untyped-call]
        self._runner: LocalRunner = self._environment.create_local_runner()

    def run(self) -> None:
        """The warm-up, a rest, the stages."""
        self._walk("warm-up", self._job.warm_up)
        self._mark("rest")
        gevent.sleep(self._job.rest)
        self._walk("run", self._job.stages)
        self._mark("after")
        self._runner.quit()

    def _walk(self, phase: str, stages: Sequence[Stage]) -> None:
        """Through the stages, until the last user has ended what it began."""
        self._phase = phase
        self._mark(phase)
        began = time.perf_counter()
        for at, users in steps(stages, self._job.tick):
            gevent.sleep(max(0.0, began + at - time.perf_counter()))
            self._runner.start(users, _SPAWN_RATE)
            self._mark("users", users)
        self._runner.user_greenlets.join(timeout=self._job.grace)

    def _mark(self, name: str, users: int = 0) -> None:
        _say({"mark": asdict(Mark(name, time.time(), users))})

    def _ended(
        self,
        request_type: str,
        response_time: float,
        response_length: int,
        exception: Exception | None,
        context: dict[str, float],
        **_: object,
    ) -> None:
        transfer = Transfer(
            kind=request_type,
            phase=self._phase,
            seconds=response_time / 1000,
            content=response_length,
            error="" if exception is None else f"{type(exception).__name__}: {exception}",
            wrong=isinstance(exception, Wrong),
            **context,
        )
        _say({"transfer": asdict(transfer)})

    def _broken(self, exception: Exception, **_: object) -> None:
        """A mistake in a user, which Locust would only log: nothing was measured rightly."""
        _say({"broken": f"{type(exception).__name__}: {exception}"})


def _say(document: dict[str, object]) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    Swarm(Job.from_json(sys.stdin.read())).run()
