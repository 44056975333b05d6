"""Small files, and streams that turn out to be small, are one PUT each."""

from penstock.client.answers import FileInfo, understood
from penstock.client.destination import Destination, check_stored
from penstock.client.http import json_of
from penstock.client.sending import Body, Read, send
from penstock.octets.digests import Digester


async def put_plain(destination: Destination, read: Read, size: int, sent: Digester) -> FileInfo:
    """Store the ``size`` bytes that ``read`` gives; ``sent`` knows their digests at the end.

    :raises DigestMismatch: the server stored others.
    """
    http, key = destination.http, destination.key
    headers = {} if destination.content_type is None else {"Content-Type": destination.content_type}
    body = Body(http, read, lambda done: destination.progress(done, size))
    if not size:
        destination.progress(0, 0)
    _, answer = await send(
        http,
        "PUT",
        http.url(http.file_path(key)),
        body,
        size=size,
        headers=headers,
        answer_within=http.answer_seconds(size),
    )
    info = understood(FileInfo.from_json, json_of(answer))
    check_stored(info, sent)
    return info
