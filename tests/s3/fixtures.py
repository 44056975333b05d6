"""Fixtures of an S3 server and of stores on it; to be imported by the tests that use them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest

from penstock.catalog import SqlChecksums
from penstock.stores.s3.abilities import Abilities
from penstock.stores.s3.client import Call, Client
from penstock.stores.s3.credentials import Chain
from penstock.stores.s3.options import place_of
from penstock.stores.s3.store import S3Store
from penstock.stores.s3.trouble import Refused
from tests.s3.servers import KINDS, QUICK, S3Server, Unavailable, running

OpenS3 = Callable[..., Awaitable[S3Store]]

_abilities: dict[str, Abilities] = {}

quick = pytest.mark.parametrize("s3_server", QUICK, indirect=True, scope="session")
"""Runs a test on the quicker server alone: what it shows is ours, and no server differs in it."""


@pytest.fixture(scope="session", params=KINDS)
def s3_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[S3Server]:
    """Each kind of server in turn, with a bucket."""
    try:
        with running(request.param, tmp_path_factory.mktemp("s3")) as server:
            asyncio.run(_make_bucket(server))
            yield server
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def prefix() -> str:
    """A folder in the bucket that nobody else uses."""
    return f"t/{uuid4().hex}"


@pytest.fixture
async def open_s3(
    s3_server: S3Server, prefix: str, book: SqlChecksums, tmp_path: Path
) -> AsyncIterator[OpenS3]:
    """Open stores with options of one's own, on the same folder of the bucket."""
    async with AsyncExitStack() as stack:

        async def open_store(
            *,
            to: str = "",
            bucket: str = "",
            book: SqlChecksums = book,
            abilities: Abilities | Literal["known"] | None = "known",
            **options: Any,
        ) -> S3Store:
            if abilities == "known":
                abilities = _abilities.get(s3_server.kind)
            opened = await asyncio.to_thread(
                S3Store,
                f"s3://{bucket or s3_server.bucket}/{prefix}",
                book,
                s3_server.options(**({"endpoint": to} if to else {}), **options),
                folder=str(tmp_path / "spool"),
                abilities=abilities,
            )
            stack.push_async_callback(opened.close)
            return opened

        if s3_server.kind not in _abilities:
            _abilities[s3_server.kind] = await (await open_store()).abilities()
        yield open_store


@pytest.fixture
async def store(open_s3: OpenS3) -> S3Store:
    """An empty store with the usual options."""
    return await open_s3()


async def _make_bucket(server: S3Server) -> None:
    options = server.options()
    client = Client(
        place_of(f"s3://{server.bucket}", options, {}), Chain(options.credentials), options.tries
    )
    try:
        await client.call(Call("PUT"))
    except Refused as error:
        if error.status != 409:
            raise
    finally:
        await client.close()
