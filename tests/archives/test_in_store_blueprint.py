"""The bytes of any span of an archive, whatever is known of its files beforehand."""

import asyncio
import zipfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isal.isal_zlib import crc32

from penstock.archives.in_store import ArchiveOptions, Wish, blueprint
from penstock.archives.in_store.blueprint import ZipBlueprint
from penstock.archives.in_store.folder import Folder, survey
from penstock.errors import SourceChanged
from penstock.stores.interface import FileInfo
from penstock.stores.memory import MemoryStore

SMALL = 40
"""Bytes up to which a member is read ahead whole."""

FILES = st.dictionaries(
    st.text("abc/é", min_size=1, max_size=6).map(lambda name: f"f/x{name.replace('/', '-')}"),
    st.binary(max_size=3 * SMALL),
    min_size=1,
    max_size=12,
)


class Forgetful(MemoryStore):
    """Does not know the CRC-32 of every file when it lists them."""

    def __init__(self, unknown: Sequence[bool]) -> None:
        super().__init__()
        self._unknown = unknown

    async def scan(
        self, prefix: str = "", *, folders: bool = False
    ) -> AsyncGenerator[Sequence[FileInfo], None]:
        async for infos in super().scan(prefix, folders=folders):
            yield [
                info._replace(crc32=None) if self._unknown[i % len(self._unknown)] else info
                for i, info in enumerate(infos)
            ]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files of some bytes be large ones."""
    monkeypatch.setattr(blueprint, "_SMALL", SMALL)
    monkeypatch.setattr(blueprint, "_PIECE", 64)
    monkeypatch.setattr(blueprint, "_ROOM", 3 * SMALL)


async def put(store: MemoryStore, key: str, content: bytes) -> None:
    async with await store.write(key) as writer:
        await writer.write(content)
        await writer.commit()


async def listed(store: MemoryStore) -> Folder:
    wish = Wish.of_folder("f", ArchiveOptions())
    return await survey(store, wish, most=5000, exports="exports/")


async def read(made: ZipBlueprint, start: int, stop: int) -> bytes:
    async with aclosing(made.read(start, stop)) as pieces:
        return b"".join([piece async for piece in pieces])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    FILES,
    st.lists(st.booleans(), min_size=1, max_size=12),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=4),
)
def test_every_span_has_the_bytes_of_the_whole(
    files: dict[str, bytes], unknown: list[bool], spans: list[tuple[float, float]]
) -> None:
    async def play() -> None:
        store = Forgetful(unknown)
        for key, content in files.items():
            await put(store, key, content)
        folder = await listed(store)
        made = ZipBlueprint(store, folder)
        whole = await read(made, 0, made.size)

        with zipfile.ZipFile(BytesIO(whole)) as archive:
            assert {f"{name}": archive.read(name) for name in archive.namelist()} == files
        assert len(whole) == made.size
        assert await made.crc32() == crc32(whole)
        assert made.files_before(made.size) == len(files)
        for one, other in spans:
            start, stop = sorted(round(part * made.size) for part in (one, other))
            if start == stop:
                continue
            later = ZipBlueprint(store, await listed(store))  # knows nothing of what came before
            assert await read(later, start, stop) == whole[start:stop]
            assert later.digest == made.digest
            assert later.room.take_at_once(10 * SMALL), "all room is given back"
            await later.close()
        await made.close()

    asyncio.run(play())


@pytest.mark.parametrize("size", [SMALL // 2, SMALL * 2])
@pytest.mark.parametrize("change", ["replaced", "deleted"])
async def test_another_version_is_never_read(size: int, change: str) -> None:
    store = Forgetful([False])
    await put(store, "f/a", b"a" * size)
    await put(store, "f/b", b"b" * size)
    made = ZipBlueprint(store, await listed(store))
    if change == "replaced":
        await put(store, "f/b", b"c" * size)
    else:
        await store.delete("f/b")

    with pytest.raises(SourceChanged, match="'f/b'"):
        await read(made, 0, made.size)
    await made.close()
    assert made.room.take_at_once(10 * SMALL)


async def test_who_leaves_early_gives_the_room_back() -> None:
    store = Forgetful([True])
    for number in range(20):
        await put(store, f"f/{number:02d}", b"x" * (SMALL - 1))
    made = ZipBlueprint(store, await listed(store))

    async with aclosing(made.read(0, made.size)) as pieces:
        await anext(pieces)
    await made.close()

    assert made.room.peak <= 3 * SMALL
    assert made.room.take_at_once(10 * SMALL)


async def test_others_have_their_turn_while_many_members_pass() -> None:
    store = MemoryStore()
    for number in range(2000):
        await put(store, f"f/{number:060d}", b"")
    made = ZipBlueprint(store, await listed(store))
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(other())
    # Nothing here has to be waited for, neither files nor whoever takes the bytes.
    await read(made, 0, made.size - 1)
    for_all = turns
    await read(made, made._directory, made.size - 1)
    for_directory = turns - for_all
    others.cancel()

    assert for_all >= 2000 // 64
    assert for_directory >= (made.size - made._directory) // (64 << 10)


class Book:
    """Writes CRC-32s down; ``before`` is how many were known when it was first asked to."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.before: int | None = None
        self.written: dict[tuple[str, str], int] = {}

    async def remember(self, crc32s: Sequence[tuple[str, str, int]]) -> None:
        if self.before is None:
            self.before = self.folder.known.count(1)
        self.written |= {(key, etag): value for key, etag, value in crc32s}


async def test_what_is_learned_is_written_down_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blueprint, "REMEMBERED_AT_ONCE", 10)
    store = Forgetful([True])
    for number in range(300):
        await put(store, f"f/{number:03d}", b"%d" % number)
    folder = await listed(store)
    made, book = ZipBlueprint(store, folder), Book(folder)
    monkeypatch.setattr(made._sums, "_composes", book)

    await read(made, 0, made.size)

    assert book.before is not None
    assert book.before <= 100, "a million of them would be held until the end"
    assert book.written == {(folder.key(i), folder.etag(i)): crc32(b"%d" % i) for i in range(300)}


async def test_a_store_that_writes_crc32s_down_itself_is_not_told_of_them() -> None:
    store = Forgetful([True])
    for number in range(20):
        await put(store, f"f/{number:02d}", b"x")
    made = ZipBlueprint(store, await listed(store))

    async with aclosing(made.read(0, made.size)) as pieces:
        async for _ in pieces:
            assert not made._sums._learned  # or there would be one for each of a million files
    await made.close()
