"""What may happen to one node, and how it ends. The rest is for the upkeep to mend."""

import asyncio
import os
import random
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

from tests.cluster.chaos.places import Place

Harm = Callable[[Place, random.Random], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def killed(place: Place, _chance: random.Random) -> AsyncIterator[None]:
    """``kill -9``; started again."""
    await asyncio.to_thread(place.kill)
    yield
    await asyncio.to_thread(place.start)


@asynccontextmanager
async def frozen(place: Place, _chance: random.Random) -> AsyncIterator[None]:
    """Stopped, with its connections open; continued."""
    assert place.node is not None
    place.node.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        place.node.process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def emptied(place: Place, chance: random.Random) -> AsyncIterator[None]:
    """All files are gone, while it runs; or all that it had but its identity, while it does not."""
    if chance.random() < 0.5:
        await asyncio.to_thread(_remove_parts, place)
        yield
        return
    await asyncio.to_thread(place.kill)
    await asyncio.to_thread(_remove_all_but_identity, place)
    yield
    await asyncio.to_thread(place.start)


@asynccontextmanager
async def filled(place: Place, _chance: random.Random) -> AsyncIterator[None]:
    """Its disk has no room left, for a while."""
    assert place.disk is not None
    filler = place.disk / "filler"
    await asyncio.to_thread(_fill, filler)
    yield
    await asyncio.to_thread(filler.unlink)


@asynccontextmanager
async def flipped(place: Place, chance: random.Random) -> AsyncIterator[None]:
    """A bit of each of its files changes, and nobody is told: the times of the files stay."""
    await asyncio.to_thread(_flip_all, place, chance)
    yield


@asynccontextmanager
async def cut_off(place: Place, _chance: random.Random) -> AsyncIterator[None]:
    """It hears nothing, and is not heard; nobody is told."""
    assert place.link is not None
    await asyncio.to_thread(place.link.down)
    yield
    await asyncio.to_thread(place.link.up)


def _remove_parts(place: Place) -> None:
    for name in place.names():
        (place.files / name).unlink(missing_ok=True)


def _remove_all_but_identity(place: Place) -> None:
    for path in place.data.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "node-id":
            path.unlink()


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))


def _flip_all(place: Place, chance: random.Random) -> None:
    for name in sorted(place.names()):
        with suppress(FileNotFoundError):  # removed at this moment
            _flip(place.files / name, chance)


def _flip(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        found = os.fstat(file.fileno())
        if not found.st_size:
            return
        at = chance.randrange(found.st_size)
        file.seek(at)
        old = file.read(1)[0]
        file.seek(at)
        file.write(bytes([old ^ 1 << chance.randrange(8)]))
        file.flush()
        os.utime(file.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))
