"""From a selection to a planned ZIP whose members are pinned to the versions seen."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import blake2b

from penstock.archives.selection import Selection
from penstock.errors import NotFound, SourceChanged, TooLarge
from penstock.stores.interface import FileInfo, Store
from penstock.threads import in_thread
from penstock.zipstream import Entry, Plan, PlanBuilder

_MISSING_NAMED = 100
_STATS_AT_ONCE = 32
_DIGESTS_AT_ONCE = 2
_BATCH = 1000


@dataclass(frozen=True, slots=True)
class PlannedZip:
    """A ZIP that can be sent from any offset: its plan, and where each member comes from.

    A key is kept only where it cannot be told from the entry's name.
    """

    plan: Plan
    base: str
    renamed: dict[int, str]
    file_name: str

    def key(self, index: int) -> str:
        """The key of a member."""
        return self.renamed.get(index) or self.base + self.plan.name(index)

    def require(self, index: int, info: FileInfo) -> None:
        """Hold what is stored now against what was planned.

        :raises SourceChanged: the member is another version by now.
        """
        if _token(info.etag) != self.plan.token(index) or info.size != self.plan.size_of(index):
            raise SourceChanged(
                f"{info.key!r} changed since the ZIP was begun; start the download again"
            )


async def plan_selection(store: Store, selection: Selection, *, most: int) -> PlannedZip:
    """Find every file of the selection, with size and CRC-32, and lay the ZIP out.

    Files whose CRC-32 is not known yet are read once for it.

    :raises NotFound: a key is missing (``missing`` lists them), or a prefix matches nothing.
    :raises TooLarge: more than ``most`` files are selected.
    """
    builder = PlanBuilder()
    base = selection.base
    count = 0
    async with aclosing(_batches(store, selection)) as batches:
        async for infos in batches:
            count += len(infos)
            if count > most:
                raise TooLarge(f"more than {most:,} files are selected; choose a smaller folder")
            complete = await _with_crc32(store, infos)
            # Off the loop: a batch is some milliseconds of pure computing.
            await in_thread(_add, builder, base, complete)
    plan = await in_thread(builder.build)
    renamed = {rename.index: base + rename.wanted for rename in plan.renames}
    return PlannedZip(plan, base, renamed, selection.file_name)


async def _batches(store: Store, selection: Selection) -> AsyncGenerator[Sequence[FileInfo], None]:
    for at in range(0, len(selection.keys), _BATCH):
        yield await _stat_all(store, selection.keys[at : at + _BATCH])
    for prefix in selection.prefixes:
        found = False
        async with aclosing(store.scan(prefix)) as batches:
            async for infos in batches:
                found |= bool(infos)
                yield infos
        if not found:
            raise NotFound(f"no file has a key that starts with {prefix!r}", missing=[prefix])


async def _stat_all(store: Store, keys: Iterable[str]) -> list[FileInfo]:
    """What is stored at the keys; names all that are missing, not just the first."""
    gate = asyncio.Semaphore(_STATS_AT_ONCE)

    async def stat(key: str) -> FileInfo | str:
        async with gate:
            try:
                return await store.stat(key)
            except NotFound:
                return key

    found = await asyncio.gather(*map(stat, keys))
    missing = [key for key in found if isinstance(key, str)]
    if missing:
        raise NotFound(
            f"{len(missing)} of the selected keys are not stored, the first is {missing[0]!r}",
            missing=missing[:_MISSING_NAMED],
        )
    return [info for info in found if not isinstance(info, str)]


async def _with_crc32(store: Store, infos: Sequence[FileInfo]) -> Sequence[FileInfo]:
    gate = asyncio.Semaphore(_DIGESTS_AT_ONCE)

    async def complete(info: FileInfo) -> FileInfo:
        if info.crc32 is not None:
            return info
        async with gate:
            return await store.checksum(info.key)

    if all(info.crc32 is not None for info in infos):
        return infos
    return list(await asyncio.gather(*map(complete, infos)))


def _add(builder: PlanBuilder, base: str, infos: Sequence[FileInfo]) -> None:
    for info in infos:
        assert info.crc32 is not None
        builder.add(
            Entry(
                name=info.key[len(base) :],
                size=info.size,
                crc32=info.crc32,
                modified=info.modified_ns // 10**9,
                token=_token(info.etag),
            )
        )


def _token(etag: str) -> int:
    """64 bits that stand for a version in the plan."""
    return int.from_bytes(blake2b(etag.encode(), digest_size=8).digest(), "big")
