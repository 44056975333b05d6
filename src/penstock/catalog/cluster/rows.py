"""What the catalog tells of a cluster. Sizes are bytes, times seconds by the database's clock."""

from enum import StrEnum
from typing import NamedTuple

BLOCK = 1 << 20
"""Bytes of a part that have a CRC-32 of their own."""


class NodeState(StrEnum):
    """How a node stands; only a live one is given parts."""

    JOINING = "joining"
    LIVE = "live"
    SUSPECT = "suspect"
    DEAD = "dead"
    DRAINING = "draining"


class Heard(NamedTuple):
    """What a node says of itself."""

    id: str
    address: str
    capacity: int
    free: int
    used: int


class Node(NamedTuple):
    """A storage node. ``silent`` is how many seconds ago it was heard of; ``draining``: it is to
    have no parts, whether it lives (then its state says so too) or not."""

    id: str
    address: str
    capacity: int
    free: int
    used: int
    state: NodeState
    silent: float
    draining: bool
    scrubbed: float | None

    @property
    def answers(self) -> bool:
        """Whether it is worth asking: heard of lately, whatever else."""
        return self.state in (NodeState.LIVE, NodeState.JOINING, NodeState.DRAINING)


class CopyState(StrEnum):
    """How a copy of a part stands, as far as is known."""

    WRITING = "writing"
    STORED = "stored"
    BAD = "bad"


class Copy(NamedTuple):
    """A copy of a file's part: the number of the part, and the node."""

    number: int
    node: str


class Part(NamedTuple):
    """A part that is to be: bytes ``start`` to ``start + size``, for those nodes."""

    number: int
    start: int
    size: int
    nodes: tuple[str, ...]


class Stored(NamedTuple):
    """A part that is on ``nodes``. ``blocks`` has the CRC-32 of each ``BLOCK``, four bytes each,
    little-endian; ``crc32`` is that of the whole part."""

    number: int
    crc32: int
    blocks: bytes
    nodes: tuple[str, ...]


class PartRow(NamedTuple):
    """A part as it is kept. ``copies`` has the state of each copy by the id of its node."""

    file: str
    number: int
    start: int
    size: int
    crc32: int | None
    blocks: bytes | None
    copies: dict[str, CopyState]

    @property
    def name(self) -> str:
        """What the nodes call it."""
        return part_name(self.file, self.number)

    @property
    def stored(self) -> list[str]:
        """The nodes that have it, as far as is known."""
        return [node for node, state in self.copies.items() if state is CopyState.STORED]


class Doomed(NamedTuple):
    """A file that is to be removed from its nodes, claimed; ``fence`` names the claim."""

    file: str
    fence: str
    attempts: int


def part_name(file: str, number: int) -> str:
    """What the nodes call the part ``number``, from 1, of a file."""
    return f"{file}-{number}"
