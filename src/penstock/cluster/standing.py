"""How many copies of a part count, and where: pure functions of the nodes at one moment."""

from collections.abc import Sequence
from typing import NamedTuple

from penstock.catalog.cluster.rows import CopyState, Node, NodeState, PartRow


class Standing(NamedTuple):
    """The nodes as they are now, and how many copies of each part there are to be."""

    nodes: dict[str, Node]
    replicas: int

    @classmethod
    def of(cls, nodes: Sequence[Node], replicas: int) -> "Standing":
        return cls({node.id: node for node in nodes}, replicas)

    @property
    def usable(self) -> frozenset[str]:
        """The nodes whose copies count. One that is silent for a moment is still among them, or
        each restart of a node would have its parts copied; one to be emptied is not."""
        return frozenset(
            node.id
            for node in self.nodes.values()
            if node.state is not NodeState.DEAD and not node.draining
        )

    @property
    def live(self) -> list[Node]:
        """The nodes that may be given parts."""
        return [node for node in self.nodes.values() if node.state is NodeState.LIVE]

    @property
    def wanted(self) -> int:
        """How many copies of each part there can be, one at least."""
        return max(1, min(self.replicas, len(self.usable)))

    def holders(self, part: PartRow) -> list[str]:
        """The nodes whose copies of ``part`` count."""
        usable = self.usable
        return [node for node in part.stored if node in usable]

    def is_enough(self, part: PartRow, without: str = "") -> bool:
        """Whether ``part`` has as many copies as it is to have, that on ``without`` not counted."""
        return sum(node != without for node in self.holders(part)) >= self.wanted

    def sources(self, part: PartRow) -> list[Node]:
        """The nodes from which the blocks of ``part`` may be had, best first: good copies before
        bad ones, of which some blocks may be right."""
        order = (CopyState.STORED, CopyState.WRITING, CopyState.BAD)
        known = [(state, self.nodes.get(node)) for node, state in part.copies.items()]
        there = [
            (order.index(state), not node.answers, node.id, node)
            for state, node in known
            if node is not None and node.state is not NodeState.DEAD
        ]
        return [node for *_, node in sorted(there, key=lambda entry: entry[:3])]
