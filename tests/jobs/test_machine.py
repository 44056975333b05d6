"""Any sequence of what workers and callers may do, held against a model of the queue."""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)
from sqlalchemy import update

from penstock.catalog import GroupCommit, open_database, sqlite_url
from penstock.catalog.leases import Claim, Progress
from penstock.catalog.schema import jobs as table
from penstock.errors import WrongState
from penstock.jobs import ENDED, Job, Jobs, State


@dataclass
class Model:
    """What a job should be."""

    state: State
    key: str
    answers: bool = True
    token: int = 0
    saved: int = 0
    cancelling: bool = False
    lapsed: bool = False


class Machine(RuleBasedStateMachine):
    """Claims are never forgotten, so those that are lost go on trying to write."""

    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.engine = open_database(sqlite_url(Path(self.folder.name) / "catalog.sqlite"))
        self.commits = self.runner.run(self._open())
        self.jobs = Jobs(self.engine, self.commits, lanes=["small"])
        self.leases = self.jobs.leases
        self.models: dict[str, Model] = {}
        self.saves = 0
        self.paused = False

    async def _open(self) -> GroupCommit:
        return GroupCommit(self.engine)

    def teardown(self) -> None:
        self.runner.run(self.jobs.close())
        self.runner.run(self.commits.close())
        self.runner.close()
        self.engine.dispose()
        self.folder.cleanup()

    def _holds(self, held: Claim) -> Model | None:
        """The model of the job if the claim is still the newest and was not let go."""
        model = self.models.get(held.id)
        holds = model and model.state is State.RUNNING and model.token == held.token
        return model if holds else None

    @rule(key=st.sampled_from(["", "a", "b"]))
    def enqueue(self, key: str) -> None:
        same = [
            identity
            for identity, model in self.models.items()
            if key and model.key == key and model.answers
        ]
        job, is_new = self.runner.run(self.jobs.enqueue("test", {}, key=key, valid=3600))
        assert [job.id] == same if same else is_new
        if is_new:
            self.models[job.id] = Model(State.WAITING, key)

    @rule(target=claims, most=st.integers(1, 3))
    def claim(self, most: int) -> object:
        rows = self.runner.run(self.leases.claim("me", {"small": most}, ["test"], 3600.0))
        lapsed = [one for one in self.models.values() if one.lapsed]
        waiting = [one for one in self.models.values() if one.state is State.WAITING]
        if self.paused:
            waiting = []
        assert len(rows) == min(most, len(lapsed) + len(waiting))
        assert sum(self.models[row.id].lapsed for row in rows) == min(most, len(lapsed))
        for row in rows:
            model = self.models[row.id]
            model.token += 1
            model.state, model.lapsed = State.RUNNING, False
            assert (row.token, row.cancelling) == (model.token, model.cancelling)
        return multiple(*(Claim(row.id, row.token) for row in rows))

    @rule(held=claims)
    def renew(self, held: Claim) -> None:
        row = self.runner.run(self.leases.renew(held, 3600.0, Progress()))
        model = self._holds(held)
        assert (row is None) == (model is None)
        if model is not None:
            model.lapsed = False

    @rule(held=claims, twice=st.booleans())
    def save(self, held: Claim, twice: bool) -> None:
        model = self._holds(held)
        made: list[object] = []
        self.saves += 1
        number = self.saves
        for _ in range(1 + twice):
            row = self.runner.run(
                self.leases.save(
                    held, f"{number}", f'{{"saved":{number}}}', 3600.0, Progress(), made.append
                )
            )
            assert (row is None) == (model is None)
        assert len(made) == (model is not None)
        if model is not None:
            model.saved = number
            model.lapsed = False

    @rule(held=consumes(claims), state=st.sampled_from(sorted(ENDED)))
    def end(self, held: Claim, state: State) -> None:
        model = self._holds(held)
        row = self.runner.run(self.leases.end(held, state, "ended"))
        if model is not None:
            assert row is not None
            model.state, model.cancelling, model.lapsed = state, False, False
            model.answers = model.answers and state is State.DONE

    @rule(held=consumes(claims))
    def give_back(self, held: Claim) -> None:
        model = self._holds(held)
        self.runner.run(self.leases.give_back(held, "given back"))
        if model is not None:
            model.state, model.lapsed = State.WAITING, False

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        lane = self.runner.run(self.jobs.pause("small") if paused else self.jobs.resume("small"))
        assert lane.paused == paused
        self.paused = paused

    @rule(data=st.data())
    def lapse(self, data: st.DataObject) -> None:
        """Time passes: the lease of a running job is over."""
        running = [one for one, model in self.models.items() if model.state is State.RUNNING]
        if running:
            identity = data.draw(st.sampled_from(running))
            self.models[identity].lapsed = True
            with self.engine.begin() as connection:
                connection.execute(update(table).where(table.c.id == identity).values(due=1.0))

    @rule(data=st.data(), ask=st.sampled_from(["cancel", "retry", "remove"]))
    def ask(self, data: st.DataObject, ask: str) -> None:
        """Whoever queued a job asks for something."""
        if not self.models:
            return
        identity = data.draw(st.sampled_from(sorted(self.models)))
        model = self.models[identity]
        try:
            self.runner.run(getattr(self.jobs, ask)(identity))
        except WrongState:
            assert not self._may(model, ask)
            return
        assert self._may(model, ask)
        if ask == "remove":
            del self.models[identity]
        elif ask == "retry":
            if model.state in ENDED:
                model.state, model.answers = State.WAITING, True
        elif model.state is State.WAITING and not model.saved:
            model.state, model.answers, model.cancelling = State.CANCELLED, False, False
        else:
            model.cancelling, model.answers = True, False

    def _may(self, model: Model, ask: str) -> bool:
        if ask == "cancel":
            return model.state not in ENDED
        if ask == "remove":
            return model.state in ENDED
        if model.state is State.WAITING:
            return not model.cancelling
        others = [one for one in self.models.values() if one is not model and one.answers]
        taken = model.key and any(one.key == model.key for one in others)
        return model.state in (State.FAILED, State.CANCELLED) and not taken

    @invariant()
    def the_jobs_are_as_they_should_be(self) -> None:
        found = self.runner.run(self.jobs.page())
        assert {job.id: told(job) for job in found} == {
            identity: (model.state, model.token, model.saved, model.cancelling)
            for identity, model in self.models.items()
        }


def told(job: Job) -> tuple[State, int, int, bool]:
    return job.state, job.token, job.checkpoint.get("saved", 0), job.cancelling


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
