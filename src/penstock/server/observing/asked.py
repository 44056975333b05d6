"""What the catalog knows of all processes together, asked when somebody looks.

Each part has two seconds. One that cannot answer is left out, and ``penstock_scrape_success`` says
so: a database that is away must not hide how the process itself does.
"""

import asyncio
import logging
import platform
from collections.abc import Callable, Coroutine
from typing import Any, Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.exc import SQLAlchemyError

from penstock import __version__
from penstock.cluster import NodeState
from penstock.errors import PenstockError
from penstock.server.services import Services

_PATIENCE: Final = 2.0
_STATES: Final = ("waiting", "running", "done", "failed", "cancelled")

Families = list[Metric]

_log = logging.getLogger("penstock.observing")


class Asking:
    """Asks for what is wanted at a scrape; belongs to one event loop.

    ``services`` is ``None`` where there is no catalog. What was asked and is not answered yet is
    not asked again, or a database that hangs would be given more and more to do.
    """

    def __init__(self, services: Services | None) -> None:
        self._services = services
        self._parts: dict[str, Callable[[Services], Coroutine[Any, Any, Families]]] = {}
        self._running: dict[str, asyncio.Task[Families]] = {}
        if services is not None:
            self._parts = {"jobs": _jobs, "uploads": _uploads}
            if services.courier is not None:
                self._parts["webhooks"] = _webhooks
            if services.cluster is not None:
                self._parts["cluster"] = _cluster

    async def answers(self) -> Families:
        """Everything that can be told now."""
        told: Families = [_build_info()]
        if self._services is None:
            return told
        success = GaugeMetricFamily(
            "penstock_scrape_success",
            "Whether this part of the catalog answered in time; if not, its metrics are left out.",
            labels=["part"],
        )
        answers = await asyncio.gather(*map(self._in_time, self._parts))
        for name, answer in zip(self._parts, answers, strict=True):
            success.add_metric([name], float(answer is not None))
            told += answer or []
        return [*told, success]

    async def close(self) -> None:
        """End what is still asked."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _in_time(self, name: str) -> Families | None:
        assert self._services is not None
        task = self._running.get(name)
        if task is None:
            task = asyncio.create_task(self._parts[name](self._services))
            self._running[name] = task
        done, _ = await asyncio.wait([task], timeout=_PATIENCE)
        if not done:
            return None
        if self._running.get(name) is task:  # not what another scrape asks by now
            del self._running[name]
        try:
            return task.result()
        except (OSError, SQLAlchemyError, PenstockError) as error:
            _log.warning("metrics of %s cannot be had: %s", name, type(error).__name__)
            return None


def _build_info() -> Metric:
    python = platform.python_version()
    family = GaugeMetricFamily(
        "penstock_build_info", "1; the labels say which program.", labels=["version", "python"]
    )
    family.add_metric([__version__, python], 1)
    return family


async def _jobs(services: Services) -> Families:
    jobs = GaugeMetricFamily(
        "penstock_jobs", "Jobs in the catalog by lane and state.", labels=["lane", "state"]
    )
    paused = GaugeMetricFamily(
        "penstock_lane_paused", "1 if no job of the lane is begun.", labels=["lane"]
    )
    oldest = GaugeMetricFamily(
        "penstock_jobs_oldest_due_seconds",
        "How long the first job of the lane that could be begun has been waiting.",
        labels=["lane"],
    )
    lanes, waited = await services.jobs.lanes(), await services.jobs.oldest_due()
    for lane in lanes:
        for state in _STATES:
            jobs.add_metric([lane.name, state], getattr(lane, state))
        paused.add_metric([lane.name], float(lane.paused))
        oldest.add_metric([lane.name], waited.get(lane.name, 0.0))
    return [jobs, paused, oldest]


async def _uploads(services: Services) -> Families:
    unfinished = await services.uploads.unfinished()
    return [
        GaugeMetricFamily(
            "penstock_uploads_unfinished", "Resumable uploads in the catalog.", unfinished.uploads
        ),
        GaugeMetricFamily(
            "penstock_uploads_unfinished_bytes",
            "Bytes that they have, or were announced to have.",
            unfinished.size,
        ),
    ]


async def _webhooks(services: Services) -> Families:
    assert services.courier is not None
    outbox = services.courier.outbox
    return [
        GaugeMetricFamily(
            "penstock_webhooks_waiting", "Events to be delivered.", await outbox.waiting()
        ),
        GaugeMetricFamily("penstock_webhooks_dead", "Events given up.", await outbox.dead()),
    ]


async def _cluster(services: Services) -> Families:
    assert services.cluster is not None
    overview = await services.cluster.overview()
    states = GaugeMetricFamily(
        "penstock_cluster_nodes", "Storage nodes by state.", labels=["state"]
    )
    for state in NodeState:
        count = sum(standing.node.state is state for standing in overview.nodes)
        states.add_metric([str(state)], count)
    about: tuple[tuple[str, str, Callable[..., float]], ...] = (
        ("penstock_node_capacity_bytes", "Size of its disk.", lambda one: one.node.capacity),
        ("penstock_node_free_bytes", "Free on its disk.", lambda one: one.node.free),
        ("penstock_node_used_bytes", "Used by parts.", lambda one: one.node.used),
        ("penstock_node_parts", "Parts that the catalog has on it.", lambda one: one.parts),
        ("penstock_node_silent_seconds", "Since it was heard.", lambda one: one.node.silent),
    )
    families: Families = [states]
    for name, meaning, value in about:
        family = GaugeMetricFamily(name, meaning, labels=["node"])
        for standing in overview.nodes:
            family.add_metric([standing.node.id], value(standing))
        families.append(family)
    families += [
        GaugeMetricFamily(
            "penstock_cluster_nodes_needed",
            "Live nodes without which nothing is stored.",
            overview.min_nodes,
        ),
        GaugeMetricFamily(
            "penstock_cluster_files_removing",
            "Files whose parts wait to be removed.",
            overview.removing,
        ),
        GaugeMetricFamily(
            "penstock_cluster_parts_short",
            "Parts with too few copies, as the last look at all of them found.",
            overview.upkeep["short"],
        ),
        GaugeMetricFamily(
            "penstock_cluster_parts_lost",
            "Those among them of which no copy can be had.",
            overview.upkeep["lost"],
        ),
    ]
    return families
