"""From a selection to a planned ZIP whose members are pinned to the versions seen."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from penstock.archives.at_once import ask_all
from penstock.archives.planned import Failure, PlannedZip, token_of
from penstock.archives.probing import Probed, probe_all
from penstock.archives.report import NAMES
from penstock.archives.selection import OnError, Selection
from penstock.errors import NotFound, TooLarge
from penstock.remote import Remote
from penstock.stores.interface import Assures, FileInfo, Store
from penstock.threads import in_thread
from penstock.zipstream import Entry, PlanBuilder

_MISSING_NAMED = 100
_STATS_AT_ONCE = 32
_DIGESTS_AT_ONCE = 2
_BATCH = 1000
_MOST_READ_FIRST = 100_000


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans the ZIPs of one store.

    ``most`` bounds the members of one ZIP, ``most_urls`` the remote ones among them. Stored files
    whose CRC-32 is not known are read for it first if they have no more than ``read_first`` bytes
    together: then every reader opens the ZIP. Else it is taken while they are sent. ``probes`` is
    how many URLs are asked at once.
    """

    store: Store
    remote: Remote
    most: int = 1_000_000
    most_urls: int = 10_000
    read_first: int = 64 << 20
    probes: int = 16

    async def plan(self, selection: Selection) -> PlannedZip:
        """Find every member, with what is known of it, and lay the ZIP out.

        :raises NotFound: a key is missing (``missing`` lists them), or a prefix matches nothing.
        :raises SourceFailed: a URL cannot be fetched (``sources`` lists them with the reasons).
        :raises RemoteRefused: a URL leads where this server must not go.
        :raises TooLarge: more files are selected than a ZIP may have.
        :raises ServerUnavailable: the bytes of a stored file cannot be had now.
        """
        if len(selection.urls) > self.most_urls:
            raise TooLarge(f"at most {self.most_urls:,} URLs fit in one ZIP")
        self._bound(len(selection.keys) + len(selection.urls))
        draft = await self._draft(selection)
        if draft.unknown:
            # All or none: with every request a few more would be known, and each would get a ZIP
            # of other bytes, which nobody could resume.
            await ask_all(self.store.checksum, draft.unknown, _DIGESTS_AT_ONCE)
            draft = await self._draft(selection)
        probed = await probe_all(self.remote, selection, at_once=self.probes)
        return await in_thread(draft.finish, probed)

    async def _draft(self, selection: Selection) -> "_Draft":
        """The stored files of the selection."""
        draft = _Draft(selection, read_first=self.read_first)
        async with aclosing(self._batches(draft)) as batches:
            async for infos in batches:
                self._bound(draft.stored + len(infos) + len(selection.urls))
                if isinstance(self.store, Assures) and not draft.reports:
                    await self.store.assure_all(infos)
                # Off the loop: a batch is some milliseconds of pure computing.
                await in_thread(draft.add_stored, infos)
        return draft

    def _bound(self, count: int) -> None:
        if count > self.most:
            raise TooLarge(f"more than {self.most:,} files are selected; choose a smaller folder")

    async def _batches(self, draft: "_Draft") -> AsyncGenerator[Sequence[FileInfo], None]:
        keys, prefixes = draft.selection.keys, draft.selection.prefixes
        for at in range(0, len(keys), _BATCH):
            yield await self._stat_all(draft, keys[at : at + _BATCH])
        for prefix in prefixes:
            found = False
            async with aclosing(self.store.scan(prefix)) as batches:
                async for infos in batches:
                    found |= bool(infos)
                    yield infos
            if not found:
                draft.missing(f"no file has a key that starts with {prefix!r}", [prefix])

    async def _stat_all(self, draft: "_Draft", keys: Sequence[str]) -> list[FileInfo]:
        """What is stored at the keys; names all that are missing, not just the first."""

        async def stat(key: str) -> FileInfo | str:
            try:
                return await self.store.stat(key)
            except NotFound:
                return key

        found = await ask_all(stat, keys, _STATS_AT_ONCE)
        missing = [key for key in found if isinstance(key, str)]
        if missing:
            draft.missing(
                f"{len(missing)} of the selected keys are not stored, the first is {missing[0]!r}",
                missing,
            )
        return [info for info in found if not isinstance(info, str)]


@dataclass(slots=True)
class _Draft:
    """A plan in the making."""

    selection: Selection
    read_first: int
    builder: PlanBuilder = field(default_factory=PlanBuilder)
    failures: list[Failure] = field(default_factory=list)
    stored: int = 0
    unknown: list[str] = field(default_factory=list)
    """Keys of files to be read for their CRC-32 before the ZIP is begun."""

    @property
    def reports(self) -> bool:
        return self.selection.on_error is OnError.REPORT

    def missing(self, text: str, names: Sequence[str]) -> None:
        if not self.reports:
            raise NotFound(text, missing=list(names[:_MISSING_NAMED]))
        self.failures += [Failure(name, "not stored") for name in names]

    def _deflates(self, info: FileInfo) -> bool:
        return self.selection.deflates(info.key, info.content_type, info.size)

    def add_stored(self, infos: Sequence[FileInfo]) -> None:
        base = len(self.selection.base)
        for info in infos:
            if info.crc32 is None:
                self._note_unknown(info)
            entry = Entry(
                name=info.key[base:],
                size=info.size,
                crc32=info.crc32,
                modified=info.modified_ns // 10**9,
                token=token_of(info.etag),
                deflate=self._deflates(info),
            )
            self.builder.add(entry)
        self.stored += len(infos)

    def _note_unknown(self, info: FileInfo) -> None:
        """Read it first, unless that is of no use here or too much with the others."""
        if self.read_first < 0 or self.reports or not info.size or self._deflates(info):
            return
        self.read_first -= info.size
        self.unknown.append(info.key)
        if self.read_first < 0 or len(self.unknown) > _MOST_READ_FIRST:
            self.read_first = -1
            self.unknown.clear()

    def finish(self, probed: Probed) -> PlannedZip:
        for entry, _ in probed.found:
            self.builder.add(entry)
        for name in NAMES if self.reports else ():
            # Of unknown size: whether it is needed turns out at the end.
            self.builder.add(Entry(name, None, None, 0))
        plan = self.builder.build()
        base = self.selection.base
        return PlannedZip(
            self.selection,
            plan,
            base,
            {r.index: base + r.wanted for r in plan.renames if r.index < self.stored},
            self.stored,
            [remote for _, remote in probed.found],
            self.failures + probed.failures,
            probed.pinned,
        )
