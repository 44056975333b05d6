"""CRC-32s that the server can tell without the bytes being read here."""

from isal.isal_zlib import crc32_combine

from penstock.stores.s3.calls import Calls
from penstock.stores.s3.documents import crc32_of
from penstock.stores.s3.trouble import Refused


async def told_crc32(calls: Calls, name: str, etag: str) -> int | None:
    """That of a version of an object; ``None`` if the server does not know it, or has another.

    Where it has one for each part (``COMPOSITE``, what most programs have it keep), the one of the
    whole is made of them.

    Raises :class:`Refused` and :class:`Broken` as :meth:`Client.call` does.
    """
    head = await calls.head(name)
    if head.etag != etag:
        return None
    if not head.composite:
        return head.crc32
    try:
        parts = await calls.attributes(name)
    except Refused as error:
        if error.passing:
            raise
        return None  # the server, or a policy, does not let it be asked
    value = size = 0
    for part in sorted(parts):
        if part.crc32 is None:
            return None
        try:
            value = crc32_combine(value, crc32_of(part.crc32), part.size)
        except ValueError:
            return None
        size += part.size
    # The parts were asked for after the version.
    same = size == head.size and (await calls.head(name)).etag == etag
    return value if same else None
