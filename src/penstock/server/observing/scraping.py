"""``GET /metrics``: for Prometheus and whatever else reads its format, or OpenMetrics."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from aiohttp import web
from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder

from penstock.server.observing import processes
from penstock.server.observing.asked import Families
from penstock.server.serving import serving_of
from penstock.threads import in_thread

_FIELDS: Final = {"Cache-Control": "no-store", "Vary": "Accept"}
_OPENMETRICS: Final = "application/openmetrics-text"


async def metrics(request: web.Request) -> web.Response:
    """All metrics, as text; ``Accept: application/openmetrics-text`` asks for that format."""
    watch = serving_of(request).watch
    assert watch is not None
    asked = await watch.asking.answers()
    await watch.look()
    folder = processes.shared_folder()
    own = watch.meters.registry if folder is None else processes.Collected(folder)
    accepted = _accepted(request)
    body, content_type = await in_thread(_encoded, _All(own, asked), accepted)
    return web.Response(body=body, headers=_FIELDS | {"Content-Type": content_type})


class _Collects(Protocol):
    def collect(self) -> Iterable[Metric]: ...


@dataclass(frozen=True, slots=True)
class _All:
    """What the processes keep and what the catalog told, as one collector."""

    own: _Collects
    asked: Families

    def collect(self) -> Iterator[Metric]:
        yield from self.own.collect()
        yield from self.asked


def _accepted(request: web.Request) -> str:
    """What is asked for, in the words of the library, which does not bear any others."""
    return (
        f"{_OPENMETRICS};version=1.0.0" if _OPENMETRICS in request.headers.get("Accept", "") else ""
    )


def _encoded(everything: _All, accepted: str) -> tuple[bytes, str]:
    """Blocks: reads files where there are several processes."""
    encode, content_type = choose_encoder(accepted)
    return encode(everything), content_type
