"""One look after the other at a server that is reached through something else."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from penstock.doctor.findings import Finding, Findings, broken, ok
from penstock.doctor.through import receiving, sending
from penstock.doctor.through.exchange import Front
from penstock.doctor.through.probe import Probe, probing
from penstock.errors import PenstockError

_Look: TypeAlias = Callable[[Probe], Awaitable[Finding | Sequence[Finding] | None]]

_LOOKS: Final[Sequence[tuple[str, _Look]]] = (
    ("Host", sending.own_pages),
    ("HTTP/1.1 to the server", receiving.protocol),
    ("size of uploads", sending.largest_body),
    ("uploads are passed on while they come", sending.passed_on_at_once),
    ("uploads of unknown length", sending.chunks),
    ("104 Upload Resumption Supported", sending.interim),
    ("downloads are passed on while they come", receiving.passed_on_at_once),
    ("versions and ranges", receiving.versions_and_ranges),
    ("long requests", receiving.long_requests),
    ("links", receiving.scheme),
)
"""Each with the name of what is wrong if it cannot even be looked at."""


@dataclass(frozen=True, slots=True)
class Through:
    """A look at the server that is reached at ``url``, by requests such as users make.

    ``token`` needs the scopes read and write. What is put there for it is in a folder of its own,
    and taken away again. ``slow``: also what takes more than a minute.
    """

    url: str
    token: str | None = None
    slow: bool = False

    async def findings(self) -> Findings:
        """One after the other; what is wrong is among them, and raises nothing."""
        name = f"server at {self.url}"
        try:
            front = Front(self.url, self.token)
            async with probing(front) as probe:
                yield ok(name, await self._told(front))
                slow = (("answers that pause", receiving.silence),) if self.slow else ()
                for what, look in (*_LOOKS, *slow):
                    for finding in await self._looked(what, look, probe):
                        yield finding
        except PenstockError as error:
            yield broken(name, error.detail)

    async def _told(self, front: Front) -> str:
        answer, _ = await front.call("GET", "/livez")
        between = answer.fields.get("Via") or answer.fields.get("Server") or "nobody that says so"
        return f"it answers; between us is {between}"

    async def _looked(self, what: str, look: _Look, probe: Probe) -> Sequence[Finding]:
        try:
            found = await look(probe)
        except PenstockError as error:
            return [broken(what, error.detail)]
        if found is None:
            return []
        return [found] if isinstance(found, Finding) else found
