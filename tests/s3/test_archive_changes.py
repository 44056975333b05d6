"""What happens to a folder, or to what stands at the key, while it is archived in S3."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.eventually import eventually
from tests.s3.archiving import NOTHING, Archiving, left_in, put_objects, some_bytes
from tests.s3.files import MIB
from tests.s3.front import (
    COMPLETE,
    CREATE,
    GET,
    PART,
    Exchange,
    Front,
    Kind,
    Seen,
    as_answer,
    front_of,
    held,
)
from tests.s3.servers import S3Server
from tests.s3.uploads import calls_to
from tests.server.conftest import StartApi, start_api

__all__ = ["start_api"]

FOLDER = {
    **{f"f/{number}large": some_bytes(17 * MIB, number) for number in range(2)},
    **{f"f/{number}small": some_bytes(2 * MIB, number) for number in range(6)},
}
KEY = "made.zip"


def of(kind: Kind, name: str) -> Kind:
    """Requests of a kind about this file, or to copy it."""

    def matches(seen: Seen) -> bool:
        named = seen.headers.get("x-amz-copy-source", seen.path)
        return kind(seen) and named.endswith(f"/{name}")

    return matches


# Not of what tries what the server can do.
BEGIN, SEND, END = of(CREATE, KEY), of(PART, KEY), of(COMPLETE, KEY)


@pytest.fixture
async def front(s3_server: S3Server, prefix: str) -> AsyncIterator[Front]:
    """Before an S3 server with a folder in it."""
    await put_objects(s3_server, prefix, FOLDER)
    async with front_of(s3_server) as front:
        yield front


@pytest.fixture
async def archiving(
    front: Front, s3_server: S3Server, prefix: str, start_api: StartApi
) -> Archiving:
    settings = {**s3_server.settings(prefix), "s3_endpoint": front.url}
    return Archiving((await start_api(**settings)).session)


async def replace(server: S3Server, prefix: str, name: str, data: bytes) -> dict[str, bytes]:
    """Another program replaces a file; answers the folder as it is then."""
    await put_objects(server, prefix, {name: data})
    return {**FOLDER, name: data}


async def remove(server: S3Server, prefix: str, name: str) -> dict[str, bytes]:
    """Another program removes a file; answers likewise."""
    async with calls_to(server) as calls:
        await calls.delete(f"{prefix}/{name}")
    return {key: data for key, data in FOLDER.items() if key != name}


@pytest.mark.parametrize(
    ("name", "change", "when"),
    [
        ("f/1large", "replaced", "before its bytes are taken"),
        ("f/5small", "removed", "before its bytes are taken"),
        ("f/1large", "removed", "before the end"),
        ("f/5small", "replaced", "before the end"),
    ],
)
async def test_a_file_that_changes_meanwhile(
    archiving: Archiving,
    front: Front,
    s3_server: S3Server,
    prefix: str,
    tmp_path: Path,
    name: str,
    change: str,
    when: str,
) -> None:
    """The archive is of one moment: that of an attempt's beginning."""
    early = when == "before its bytes are taken"
    is_large = name.endswith("large")
    gate = asyncio.Event()
    kind = of(PART if is_large else GET, name) if early else END
    front.wrong(kind, held(gate))
    begun = await archiving.begin("f", key=KEY)
    assert await eventually(lambda: front.count(kind) > 0, 60)

    if change == "removed":
        folder = await remove(s3_server, prefix, name)
    else:
        other = some_bytes(len(FOLDER[name]), 77)
        folder = await replace(s3_server, prefix, name, other)
    gate.set()
    archive = await archiving.done(begun["id"])

    fetched = await archiving.fetch(archive, tmp_path / KEY)
    await fetched.require(folder if archive["attempts"] > 1 else FOLDER)
    assert archive["attempts"] == (2 if early else 1)
    assert await left_in(s3_server, prefix, [*folder, KEY]) == NOTHING


async def test_a_folder_that_never_rests(
    archiving: Archiving, front: Front, s3_server: S3Server, prefix: str
) -> None:
    versions = 0

    async def change(exchange: Exchange) -> web.StreamResponse:
        nonlocal versions
        versions += 1
        await replace(s3_server, prefix, "f/0large", some_bytes(17 * MIB, 100 + versions))
        return as_answer(exchange.request, *await exchange.passed())

    front.wrong(BEGIN, change, times=20)
    begun = await archiving.begin("f", key=KEY)

    async with asyncio.timeout(90):
        while (archive := await archiving.get(begun["id"]))["state"] in ("waiting", "running"):
            if archive["state"] == "waiting":  # without the pause
                await archiving.hurry(begun["id"])
            await asyncio.sleep(0.05)

    assert archive["state"] == "failed"
    assert archive["error"]["code"] == "source-changed"
    assert "keeps changing" in archive["error"]["detail"]
    assert await left_in(s3_server, prefix, FOLDER) == NOTHING


@pytest.mark.parametrize("at", ["begin", "send"])
async def test_cancelling_leaves_nothing(
    archiving: Archiving, front: Front, s3_server: S3Server, prefix: str, at: str
) -> None:
    gate, kind = asyncio.Event(), BEGIN if at == "begin" else SEND
    front.wrong(kind, held(gate))
    begun = await archiving.begin("f", key=KEY)
    assert await eventually(lambda: front.count(kind) > 0, 60)

    await archiving.cancel(begun["id"])
    gate.set()

    archive = await archiving.ended(begun["id"])
    assert archive["state"] == "cancelled"
    assert await left_in(s3_server, prefix, FOLDER) == NOTHING


async def test_what_is_being_stored_is_not_cancelled_any_more(
    archiving: Archiving, front: Front, s3_server: S3Server, prefix: str, tmp_path: Path
) -> None:
    gate = asyncio.Event()
    front.wrong(END, held(gate))
    begun = await archiving.begin("f", key=KEY)
    assert await eventually(lambda: front.count(END) > 0, 60)

    await archiving.cancel(begun["id"])
    gate.set()

    archive = await archiving.done(begun["id"])
    await (await archiving.fetch(archive, tmp_path / KEY)).require(FOLDER)
    assert await left_in(s3_server, prefix, [*FOLDER, KEY]) == NOTHING


async def test_what_must_not_be_replaced_is_not(
    archiving: Archiving, front: Front, s3_server: S3Server, prefix: str
) -> None:
    gate = asyncio.Event()
    front.wrong(END, held(gate))
    begun = await archiving.begin("f", key=KEY, overwrite=False)
    assert await eventually(lambda: front.count(END) > 0, 60)

    await put_objects(s3_server, prefix, {KEY: b"of another"})
    gate.set()

    archive = await archiving.ended(begun["id"])
    assert (archive["state"], archive["error"]["code"]) == ("failed", "precondition-failed")
    async with calls_to(s3_server) as calls:
        assert await calls.get(f"{prefix}/{KEY}") == b"of another"
    assert await left_in(s3_server, prefix, [*FOLDER, KEY]) == NOTHING


async def test_what_was_used_is_what_passed(
    archiving: Archiving, front: Front, s3_server: S3Server, prefix: str
) -> None:
    """Nothing else is asked of S3 meanwhile, but whether there are orphans."""
    await archiving.plan("f")  # what the server can do is known from here on
    front.answered.clear()

    archive = await archiving.made("f", key=KEY)

    asked = [one for one in front.answered if not looks_for_orphans(one.seen)]
    usage = archive["usage"]
    paid_as_put = [one for one in asked if one.seen.method in ("PUT", "POST") or is_list(one.seen)]
    paid_as_get = [
        one for one in asked if one.seen.method in ("GET", "HEAD") and not is_list(one.seen)
    ]
    # When the archive was asked for, the folder was listed, and its key looked at.
    assert usage["puts"] == len(paid_as_put) - 1
    assert usage["gets"] == len(paid_as_get) - 1
    assert usage["received"] == sum(one.received for one in paid_as_get if one.seen.method == "GET")
    assert usage["sent"] == sum(one.sent for one in asked if one.seen.method == "PUT")
    assert 5 * MIB <= archive["memory_peak"] <= 128 * MIB
    assert archive["cost"] == pytest.approx(
        usage["puts"] * 0.005 / 1000 + usage["gets"] * 0.0004 / 1000
    )


def looks_for_orphans(seen: Seen) -> bool:
    return is_list(seen) and ".penstock" in seen.query


def is_list(seen: Seen) -> bool:
    return seen.method == "GET" and ("list-type" in seen.query or "upload" in seen.query)
