"""Which node is asked first for a part."""

from collections.abc import Collection
from zlib import crc32

from penstock.catalog.cluster.rows import CopyState, Node, NodeState, PartRow
from penstock.cluster.members import Members

_ANSWERS, _TROUBLED, _SUSPECT, _DEAD, _FAILED = range(5)
_BAD = 10
"""Behind every copy that is not known to be bad: a block of a bad one may still be good."""


def candidates(part: PartRow, members: Members, failed: Collection[str] = ()) -> list[Node]:
    """The nodes that may have a part, best first.

    Which of equal ones comes first depends on the part, so that the parts of a file are read from
    all of its nodes, and each part from one. Those in ``failed`` come behind all that did not.
    """
    ranked = []
    for node_id, state in part.copies.items():
        node = members.get(node_id)
        if node is None or state is CopyState.WRITING:
            continue
        rank = _rank(node, members) + (_BAD if state is CopyState.BAD else 0)
        if node_id in failed:
            rank += _FAILED
        ranked.append((rank, crc32(f"{part.name} {node_id}".encode()), node))
    return [node for _, _, node in sorted(ranked)]


def doubtful(part: PartRow, members: Members) -> list[Node] | None:
    """``None`` if a node that answers has a good copy; else those that have one and may answer."""
    known = (members.get(node_id) for node_id in part.stored)
    nodes = [node for node in known if node is not None and node.state is not NodeState.DEAD]
    return None if any(surely_answers(node, members) for node in nodes) else nodes


def surely_answers(node: Node, members: Members) -> bool:
    """Whether it was heard of lately, and has not just failed."""
    return _rank(node, members) == _ANSWERS


def _rank(node: Node, members: Members) -> int:
    if node.state is NodeState.DEAD:
        return _DEAD
    if members.is_troubled(node.id):
        return _TROUBLED
    return _ANSWERS if node.answers else _SUSPECT
