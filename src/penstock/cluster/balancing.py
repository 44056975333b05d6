"""Parts, moved from the fullest node to the emptiest."""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from penstock.catalog.cluster.copies import HeldCopy
from penstock.catalog.cluster.rows import CopyState, Node, PartRow
from penstock.cluster.copying import Copier, NoGoodCopy
from penstock.cluster.means import Means
from penstock.cluster.placement import has_room
from penstock.cluster.releasing import Releaser
from penstock.cluster.trouble import NodeFailed

APART: Final = 0.10
"""Nodes whose shares differ by more than this are balanced."""
_NEAR: Final = 0.05
"""What is left of the difference, so that they are not balanced again soon."""
_MOST_MOVED: Final = 1 << 30
"""Bytes that are moved before the nodes are asked again how full they are."""
_PAGE: Final = 200
_MOST_PAGES: Final = 5
"""Pages of copies that are looked at in one round."""
_REST: Final = 900.0
"""Seconds after which two nodes are looked at again of which one has nothing for the other."""

_log = logging.getLogger("penstock.cluster")


class Move(NamedTuple):
    """So many bytes are to go from one node to another."""

    source: Node
    target: Node
    size: int


def used_share(node: Node) -> float:
    """How much of the room that a node has for parts they take, from 0 to 1. What else is on its
    disk does not count: no move would help with that."""
    room = node.used + node.free
    return node.used / room if room else 1.0


def plan_move(nodes: Iterable[Node], apart: float = APART) -> Move | None:
    """What to move between the live ``nodes`` first; ``None`` if they are balanced.

    Moving it never makes the target fuller than the source, so there is an end.
    """
    by_share = sorted(nodes, key=lambda node: (used_share(node), node.id))
    if len(by_share) < 2:
        return None
    target, source = by_share[0], by_share[-1]
    difference = used_share(source) - used_share(target)
    if difference <= apart:
        return None
    rooms = [node.used + node.free for node in (source, target)]
    # Each byte changes both shares.
    size = (difference - min(_NEAR, apart / 2)) / sum(1 / max(1, room) for room in rooms)
    return Move(source, target, int(min(size, _MOST_MOVED)))


@dataclass(slots=True)
class _Walk:
    """How far the copies of one node were looked at, to be moved to one other; ``moved``: some
    were. When none of all was, there is a rest."""

    after: str = ""
    moved: bool = False
    rests_until: float = 0.0


class Balancer:
    """Moves parts one by one; in one process at a time.

    A part that is moved has one copy more for a moment, never one less.
    """

    def __init__(
        self, means: Means, copier: Copier, releaser: Releaser, apart: float = APART
    ) -> None:
        self._means = means
        self._copier = copier
        self._releaser = releaser
        self._apart = apart
        self._walks: dict[tuple[str, str], _Walk] = {}

    def wake(self) -> None:
        """Look at all copies again, at those too that could not be moved lately."""
        self._walks.clear()

    async def run_once(self) -> int:
        """Move some parts, if nodes are unlike; answers how many bytes were moved.

        Call it again when the nodes have said anew how full they are.
        """
        standing = await self._means.standing()
        self._walks = {
            ends: walk for ends, walk in self._walks.items() if standing.nodes.keys() >= set(ends)
        }
        move = plan_move(standing.live, self._apart)
        if move is None:
            return 0
        moved = await self._move_some(move)
        if moved:
            fields = {"from": move.source.id, "to": move.target.id, "bytes": moved}
            _log.info("parts were moved", extra={"fields": fields})
        return moved

    async def _move_some(self, move: Move) -> int:
        """Goes on with the copies of the source where the last call stopped, and looks at some
        pages of them."""
        walk = self._walks.setdefault((move.source.id, move.target.id), _Walk())
        moved = 0
        if time.monotonic() < walk.rests_until:
            return moved
        for _ in range(_MOST_PAGES):
            page = await self._means.copies.on(move.source.id, walk.after, _PAGE)
            if page:
                size, is_over = await self._move_of(page, move, move.size - moved, walk)
                moved += size
                if is_over:
                    return moved
                continue
            walk.after = ""
            if not walk.moved:
                walk.rests_until = time.monotonic() + _REST
                return moved
            walk.moved = False
        return moved

    async def _move_of(
        self, page: list[HeldCopy], move: Move, most: int, walk: _Walk
    ) -> tuple[int, bool]:
        """Moves copies of a page, up to ``most`` bytes; answers how many, and whether no more can
        be moved in this round."""
        # One that is larger than what is to be moved would turn the scales.
        fitting = [row for row in page if row.state is CopyState.STORED and row.size <= move.size]
        there = await self._means.copies.of([row.name for row in fitting], move.target.id)
        moved = 0
        for row in fitting:
            if row.name in there:
                continue
            if not self._is_on(move) or row.size > most - moved:
                return moved, True
            walk.after = row.name
            part = await self._means.files.part(row.file, row.number)
            try:
                if part is not None and await self._move(part, move):
                    moved += part.size
                    walk.moved = True
            except NodeFailed as failure:
                # It would hardly take the next one, of which there may be millions.
                self._means.failed(failure)
                _log.warning("a part was not moved: %s", failure)
                return moved, True
        walk.after = page[-1].name
        return moved, False

    def _is_on(self, move: Move) -> bool:
        """Whether both nodes can be asked still."""
        return self._means.is_asked(move.source) and self._means.is_asked(move.target)

    async def _move(self, part: PartRow, move: Move) -> bool:
        """Answers whether the part was moved.

        :raises NodeFailed: the target did not take it.
        """
        if part.copies.get(move.source.id) is not CopyState.STORED or part.crc32 is None:
            return False
        if move.target.id in part.copies or not has_room(move.target, part.size):
            return False
        standing = await self._means.standing()
        try:
            copied = await self._copier.copy(part, move.target, standing.sources(part))
        except NoGoodCopy:
            return False  # it is the repair's by now
        if not copied or not await self._releaser.release(part, move.source.id, thorough=False):
            return False
        self._means.counts.moved += 1
        return True
