"""Which nodes get a part: pure functions, so everybody who asks them is answered alike.

Weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables",
2005): a node has of all parts the share that its free bytes have of all, and when a node comes or
goes only the parts of that share have other nodes.
"""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import Final

from penstock.catalog.cluster.rows import Node

RESERVE: Final = 64 << 20
"""Bytes that stay free on a node."""
_NEARLY: Final = 0.05
"""Nodes that differ by so few parts of a file are alike."""


def choose(
    name: str, nodes: Sequence[Node], count: int, size: int, exclude: Collection[str] = ()
) -> list[Node]:
    """Up to ``count`` nodes for a part of ``size`` bytes that nodes call ``name``, best first.

    Nodes that have no room for it are left out, and those whose ids are in ``exclude``.
    """
    fitting = [node for node in nodes if node.id not in exclude and has_room(node, size)]
    return sorted(fitting, key=lambda node: (-_score(name, node), node.id))[:count]


def spread(
    parts: Sequence[tuple[str, int]], nodes: Sequence[Node], count: int
) -> list[tuple[Node, ...]]:
    """As :func:`choose` for each part, by name and size, of one file.

    No node gets much more of the file than its share while others have less, so that all of them
    work when it is written and read.
    """
    copies = len(parts) * min(count, len(nodes))
    free = sum(node.free for node in nodes)
    shares = {node.id: math.ceil(copies * node.free / max(1, free) - _NEARLY) for node in nodes}
    given: Counter[str] = Counter()
    left = {node.id: node.free for node in nodes}
    chosen: list[tuple[Node, ...]] = []
    for name, size in parts:
        current = [node._replace(free=left[node.id]) for node in nodes]
        served = {node.id for node in nodes if given[node.id] >= shares[node.id]}
        taken = choose(name, current, count, size, served)
        taken += choose(name, current, count - len(taken), size, {node.id for node in taken})
        for node in taken:
            given[node.id] += 1
            left[node.id] -= size
        chosen.append(tuple(taken))
    return chosen


def has_room(node: Node, size: int) -> bool:
    """Whether the node said that it has room for ``size`` bytes more."""
    return node.free >= size + RESERVE


def _score(name: str, node: Node) -> float:
    """The highest is best."""
    word = f"{node.id}/{name}".encode(errors="surrogateescape")
    number = int.from_bytes(blake2b(word, digest_size=8).digest(), "big") >> 12
    # Between 0 and 1, without either: a float has 53 bits.
    return -node.free / math.log((number + 0.5) / 2**52)
