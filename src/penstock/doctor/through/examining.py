"""One look after the other at a server that is reached through something else."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from penstock.cluster.trust import is_loopback
from penstock.doctor.findings import Finding, Findings, broken, ok, warning
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
_OURS: Final = "Penstock"
"""What the server calls itself in ``Server``."""


@dataclass(frozen=True, slots=True)
class Through:
    """A look at the server that is reached at ``url``, by requests such as users make.

    ``token`` needs the scopes read and write. What is put there for it is in a folder of its own,
    and taken away again. ``pause``: seconds for which an answer is left to pause, if any.
    """

    url: str
    token: str | None = None
    pause: float = 0.0

    async def findings(self) -> Findings:
        """One after the other; what is wrong is among them, and raises nothing."""
        front = Front(self.url, self.token)
        name = f"server at {front.url}"
        try:
            async with probing(front) as probe:
                between = await _between(front)
                yield ok(name, f"it answers; between us is {between or 'nobody that says so'}")
                yield _access(probe, between)
                for what, look in (*_LOOKS, *self._slow()):
                    for finding in await self._looked(what, look, probe):
                        yield finding
        except PenstockError as error:
            yield broken(name, error.detail)

    def _slow(self) -> Sequence[tuple[str, _Look]]:
        if not self.pause:
            return ()
        return (("answers that pause", partial(receiving.silence, pause=self.pause)),)

    async def _looked(self, what: str, look: _Look, probe: Probe) -> Sequence[Finding]:
        try:
            found = await look(probe)
        except PenstockError as error:
            return [broken(what, error.detail)]
        if found is None:
            return []
        return [found] if isinstance(found, Finding) else found


async def _between(front: Front) -> str:
    """Who passes requests on, as far as they say so; empty for nobody."""
    answer, _ = await front.call("GET", "/livez")
    server = answer.fields.get("Server", "")
    return answer.fields.get("Via") or ("" if server == _OURS else server)


def _access(probe: Probe, between: str) -> Finding:
    name = "access"
    if probe.is_guarded:
        return ok(name, "tokens and logins are asked for")
    if not between and is_loopback(probe.front.host):
        return ok(name, "nobody is asked who they are, here on the server's own host")
    return warning(
        name,
        "nobody is asked who they are: whoever reaches this address may read, change and remove "
        "every file. Behind a proxy set access=on, unless the proxy checks who comes",
    )
