"""What S3 has, asked past the store."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

from penstock.stores.s3.calls import Calls
from penstock.stores.s3.client import Call, Client
from penstock.stores.s3.credentials import Chain
from penstock.stores.s3.documents import parse
from penstock.stores.s3.options import place_of
from tests.s3.servers import S3Server


@asynccontextmanager
async def calls_to(server: S3Server) -> AsyncIterator[Calls]:
    """The calls of the API on the whole bucket."""
    options = server.options()
    client = Client(place_of(f"s3://{server.bucket}", options, {}), Chain(options.credentials), 3)
    try:
        yield Calls(client)
    finally:
        await client.close()


async def uploads_in(server: S3Server, prefix: str) -> list[str]:
    """The names of the objects below ``prefix`` whose multipart uploads nobody has ended."""
    async with calls_to(server) as calls:
        call = Call("GET", parameters=[("prefix", prefix), ("uploads", "")])
        answer = await calls.client.call(call)
    return [element.findtext("Key", "") for element in parse(answer.body).iterfind("Upload")]


async def parts_in(server: S3Server, prefix: str) -> list[int]:
    """The sizes of the parts that the only multipart upload below ``prefix`` has, in order."""
    async with calls_to(server) as calls:
        call = Call("GET", parameters=[("prefix", prefix), ("uploads", "")])
        found = parse((await calls.client.call(call)).body).findall("Upload")
        if not found:
            return []
        (upload,) = found
        key, identity = upload.findtext("Key", ""), upload.findtext("UploadId", "")
        return [part.size for part in await calls.list_parts(key, identity)]


async def names_in(server: S3Server, prefix: str) -> list[str]:
    """The names of all objects below ``prefix``."""
    async with calls_to(server) as calls:
        return [listed.name for listed in (await calls.list(prefix)).objects]


async def make_object(
    server: S3Server,
    name: str,
    headers: Mapping[str, str] = MappingProxyType({}),
    body: bytes = b"x",
) -> None:
    """An object that another program put there."""
    async with calls_to(server) as calls:
        await calls.put(name, headers, body, len(body))
