"""Putting and getting whole files."""

import random

from penstock.stores import FileInfo, Store

MIB = 1 << 20


def content(size: int, seed: int = 0) -> bytes:
    """Bytes that are in no order."""
    return random.Random(seed).randbytes(size)


async def put(
    store: Store, name: str, data: bytes, *, size: int | None = None, **commit: object
) -> FileInfo:
    async with await store.write(name, size=size) as writer:
        for at in range(0, len(data), 100_000):
            await writer.write(data[at : at + 100_000])
        return await writer.commit(**commit)  # type: ignore[arg-type]


async def get(store: Store, key: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([data async for data in store.read(key, start, stop)])


async def keys(store: Store, prefix: str = "") -> list[str]:
    return [info.key for info in (await store.list(prefix)).files]
