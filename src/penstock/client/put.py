"""Uploads: a file or a stream goes out, and what the server stored is held against it."""

import os

from penstock.client.destination import Destination
from penstock.client.file_reader import FileReader, Path
from penstock.client.http import Http
from penstock.client.large import put_large
from penstock.client.plain import put_plain
from penstock.client.progress import Progress
from penstock.client.readers import Source, is_file
from penstock.client.several import Transfer
from penstock.client.streams import put_stream
from penstock.errors import PenstockError, SourceChanged

RESUMABLE_FROM = 8 << 20
"""Bytes from which on a file is sent by an upload resource, so that it need not begin again."""


async def put(
    http: Http, source: Source, key: str, progress: Progress, content_type: str | None = None
) -> Transfer:
    """Store ``source`` at ``key``; see :meth:`penstock.client.Client.put`."""
    http.file_path(key)  # a bad key is told before the source is opened
    destination = Destination(http, key, content_type, progress)
    if isinstance(source, str | os.PathLike) and await is_file(source):
        return await _put_file(destination, source)
    return Transfer(await put_stream(destination, source))


async def _put_file(destination: Destination, path: Path) -> Transfer:
    http = destination.http
    backoff = http.backoff()
    while True:
        try:
            reader = await FileReader.open(path)
            try:
                if reader.size >= RESUMABLE_FROM:
                    return await put_large(destination, path, reader, backoff)
                return await _put_small(destination, reader)
            finally:
                await reader.close()
        except SourceChanged:
            raise
        except PenstockError as error:
            await http.retry(backoff, error, progressed=False)


async def _put_small(destination: Destination, reader: FileReader) -> Transfer:
    same = await destination.holds(reader)
    if same is not None:
        return Transfer(same, skipped=True)
    await reader.go_to(0)
    return Transfer(await put_plain(destination, reader.read, reader.size, reader.digester))
