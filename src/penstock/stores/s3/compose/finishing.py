"""The last step of an assembly: its parts become an object."""

from collections.abc import Mapping, Sequence
from typing import Final

from penstock.stores.s3.abilities import FULL_OBJECT, Abilities
from penstock.stores.s3.calls import Calls
from penstock.stores.s3.compose.assembly import Assembly
from penstock.stores.s3.compose.copying import CannotCopy
from penstock.stores.s3.documents import ListedPart, Part, crc32_field
from penstock.stores.s3.trouble import Refused

_PARTS_A_SECOND: Final = 20


async def complete(
    calls: Calls,
    able: Abilities,
    assembly: Assembly,
    parts: Sequence[Part],
    guard: Mapping[str, str],
    crc32: int | None,
) -> str:
    """CompleteMultipartUpload, held to the size, and to the CRC-32 if it is known."""
    fields = {**guard, "x-amz-mp-object-size": str(assembly.stop - assembly.start)}
    if able.crc32_of_multipart:
        fields |= FULL_OBJECT
        if crc32 is not None:
            fields["x-amz-checksum-crc32"] = crc32_field(crc32)
    if any(part.crc32 is None for part in parts):
        # Not every server tells them of what it copies; they go with all parts or with none.
        parts = [part._replace(crc32=None) for part in parts]
    work = len(parts) / _PARTS_A_SECOND
    return await calls.complete(assembly.name, assembly.upload, parts, fields, work=work)


async def completed(calls: Calls, able: Abilities, made: Assembly) -> str:
    """Make a temporary object; answers its ETag.

    :raises CannotCopy: S3 does not make it of these parts.
    :raises Refused: as :meth:`Client.call` does.
    """
    parts = [made.have[number] for number in sorted(made.have)]
    try:
        return await complete(calls, able, made, parts, {}, None)
    except Refused as error:
        if error.passing:
            raise
        refused = error
    try:  # an earlier answer may have been lost
        head = await calls.head(made.name)
    except Refused:
        raise CannotCopy(str(refused)) from refused
    if head.size != made.stop - made.start:
        raise CannotCopy("it has another size than its parts")
    return head.etag


async def wrong_parts(calls: Calls, whole: Assembly) -> Sequence[int]:
    """Hold what S3 has against what it should have; answers which parts it has not.

    One server answers that it has copied, and has no bytes. The parts' ETags are those that S3
    tells last.
    """
    listed = {part.number: part for part in await calls.list_parts(whole.name, whole.upload)}
    wrong = []
    for number, piece in enumerate(whole.parts, 1):
        found, have = listed.get(number), whole.have[number]
        if found is None or found.size != piece.stop - piece.start or _differ(found, have):
            wrong.append(number)
        else:
            whole.have[number] = Part(number, found.etag or have.etag, found.crc32 or have.crc32)
    return wrong


def _differ(found: ListedPart, have: Part) -> bool:
    """Whether both CRC-32s are known, and are not the same."""
    return bool(found.crc32 and have.crc32 and found.crc32 != have.crc32)
