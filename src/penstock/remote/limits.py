"""How far reading from other servers may go."""

from dataclasses import dataclass, field

from penstock.errors import BadRequest
from penstock.remote.allowed import Allowed


@dataclass(frozen=True, slots=True)
class RemoteLimits:
    """Limits of one :class:`~penstock.remote.Remote`; times are seconds.

    ``allow`` names, separated by commas, hosts, addresses and networks that may be reached
    although they are private, and at any port; everything else must be public, at one of
    ``ports``. ``connections`` bounds the sockets in all (while it connects, a host of several
    addresses may take one for each). ``answer_timeout`` is for the head of an answer,
    ``stall_timeout`` for silence in its body. ``tries`` is how many in a row may bring nothing.
    The pause between tries grows from ``first_pause`` to ``longest_pause``, to which comes what
    a server asks for, up to ``longest_asked_pause``.

    :raises BadRequest: an entry of ``allow`` cannot be, or a limit leaves nothing.
    """

    allow: str = ""
    ports: tuple[int, ...] = (80, 443)
    redirects: int = 5
    connections: int = 64
    connect_timeout: float = 10.0
    answer_timeout: float = 30.0
    stall_timeout: float = 30.0
    tries: int = 5
    first_pause: float = 0.5
    longest_pause: float = 30.0
    longest_asked_pause: float = 60.0
    allowed: Allowed = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.connections < 1 or self.tries < 1:
            raise BadRequest("at least one connection and one try are needed")
        object.__setattr__(self, "allowed", Allowed.parse(self.allow))
