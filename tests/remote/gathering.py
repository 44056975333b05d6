"""Reading to the end."""

from penstock.remote import Remote, RemoteFile


async def everything(
    remote: Remote, file: RemoteFile, start: int = 0, stop: int | None = None
) -> bytes:
    """All bytes that a read brings."""
    return b"".join([piece async for piece in remote.read(file, start, stop)])


async def fetched(remote: Remote, url: str) -> bytes:
    """A file, asked for and read."""
    return await everything(remote, await remote.probe(url))
