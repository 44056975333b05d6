"""How a cluster is used."""

from dataclasses import dataclass, field

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Sizes are bytes, times are seconds, rates bytes per second.

    ``secret`` is what the nodes and the servers know each other by. There are ``replicas`` copies
    of every part, as many as there are nodes if those are fewer. A file has ``parts`` equal parts,
    fewer if they would have less than ``least_part``, more if they would have more than a GiB; or,
    if ``part_size`` is not 0, parts of that size. Nothing is stored while fewer than ``min_nodes``
    are live. A node is dead when it was silent for ``dead_after``: then its parts are copied
    elsewhere. A version that was replaced is kept for ``grace``. ``upkeep_rate`` bounds the bytes
    that repair, moves and scrubs read, together; every copy is read again after ``scrub_every``.
    ``memory`` bounds the bytes of writers that wait in memory; more wait in a folder.
    """

    secret: str = field(default="", repr=False)
    replicas: int = 2
    parts: int = 6
    part_size: int = 0
    least_part: int = 64 << 10
    min_nodes: int = 1
    dead_after: float = 30.0
    grace: float = 300.0
    upkeep_rate: int = 64 * MIB
    scrub_every: float = 7 * 86_400.0
    memory: int = 256 * MIB
