"""Copies that are not what the catalog says, looked at once more before they are counted so."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Final, NamedTuple

from penstock.catalog.cluster.rows import CopyState, Node, PartRow
from penstock.cluster.means import Means
from penstock.cluster.trouble import Kind, NodeFailed

_PATIENCE: Final = 15.0
"""Seconds that a node is given to answer, beside those to read its disk."""
_READ_RATE: Final = 4 << 20
"""Bytes per second that a node is given to read its disk, at least."""


class Expected(NamedTuple):
    """A copy as it should be; ``crc32`` is ``None`` while its part was never stored."""

    name: str
    file: str
    number: int
    size: int
    crc32: int | None

    @classmethod
    def of(cls, part: PartRow) -> "Expected":
        return cls(part.name, part.file, part.number, part.size, part.crc32)


async def judge(
    means: Means, node: Node, copies: Iterable[Expected], *, is_there: bool = True
) -> dict[str, CopyState]:
    """Have ``node`` read these from its disk, and write down how they stand.

    A copy that was thought bad, or never finished, counts if it is right; one that counted is bad
    if it is not. Answers the state by name of each that has a row still. Begins when the rate of
    the upkeep allows it.

    :param is_there: whether the node has them to read, as far as is known; else it costs nothing
    :raises NodeFailed: the node did not tell of all.
    """
    expected = {copy.name: copy for copy in copies}
    if not expected:
        return {}
    if is_there:
        await means.pace(_bytes(expected.values()))
    # Others wait meanwhile, and a node that was stopped would never answer. Nor is anything written
    # down by a process that was stopped itself: it may be long ago that the node looked.
    async with means.handing, _in_time(node, expected.values()):
        states = await means.copies.of(list(expected), node.id)
        for name, is_right in (await _looked(means, node, list(expected.values()))).items():
            copy, state = expected[name], states.get(name)
            if state is None:
                continue
            if is_right and state is not CopyState.STORED:
                await means.copies.found(copy.file, copy.number, node.id)
                states[name] = CopyState.STORED
            elif not is_right and state is CopyState.STORED:
                await means.is_bad(copy, node.id)
                states[name] = CopyState.BAD
    return states


async def wrong(means: Means, node: Node, copies: Iterable[Expected]) -> list[Expected]:
    """Those of ``copies`` that ``node`` has not, or not right; changes nothing. Begins when the
    rate of the upkeep allows it.

    :raises NodeFailed: the node did not tell of all.
    """
    asked = list(copies)
    await means.pace(_bytes(asked))
    async with _in_time(node, asked):
        looked = await _looked(means, node, asked)
    return [copy for copy in asked if not looked.get(copy.name, False)]


async def shows(means: Means, node: Node, part: PartRow) -> bool:
    """Whether a node shows that it has a copy which counts, by its last byte alone: that no byte
    before is another is not seen, no CRC-32 is taken. The copy is bad if it has none."""
    if not means.is_asked(node):
        return False
    try:
        async for _ in means.client.get(node, part.name, part.size - 1, part.size):
            pass
    except NodeFailed as failure:
        means.failed(failure)
        if not failure.is_of_node:
            await means.is_bad(part, node.id)
        return False
    return True


async def _looked(means: Means, node: Node, copies: "list[Expected]") -> dict[str, bool]:
    """Whether each is right on the disk, by name."""
    expected = {copy.name: copy for copy in copies}
    right: dict[str, bool] = {}
    if not expected:
        return right
    async with aclosing(means.client.check(node, list(expected))) as answers:
        async for told in answers:
            copy = expected.get(told.name)
            if copy is not None and copy.crc32 is not None:
                right[told.name] = (told.size, told.crc32) == (copy.size, copy.crc32)
    return right


@asynccontextmanager
async def _in_time(node: Node, copies: Collection[Expected]) -> AsyncIterator[None]:
    """The time in which a node reads these.

    :raises NodeFailed: it is over.
    """
    seconds = _PATIENCE + _bytes(copies) / _READ_RATE
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise NodeFailed(Kind.UNREACHABLE, node.id, "it does not read in time") from error


def _bytes(copies: Iterable[Expected]) -> int:
    return sum(copy.size for copy in copies)
