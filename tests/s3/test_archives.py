"""Folders in S3 become ZIPs in S3, asked for by HTTP, made by a real ``penstock serve``."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from tests.conftest import StartServer
from tests.s3.archiving import (
    NOTHING,
    Archiving,
    Members,
    left_in,
    named_in_zip,
    put_objects,
    some_bytes,
    tags_of,
)
from tests.s3.files import MIB
from tests.s3.servers import S3Server
from tests.serving import RunningServer
from tests.zipstream.readers import READERS, java_file, need, seven_zip, unzip

KIB = 1 << 10
PROGRAMS = (unzip, seven_zip, java_file)


@pytest.fixture(scope="module")
def store_prefix() -> str:
    """Where in the bucket the store is."""
    return f"t/{uuid4().hex} é%+"


@pytest.fixture(scope="module")
def served(
    s3_server: S3Server, store_prefix: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """One server for all tests of this module; use folders that no other test uses."""
    data = tmp_path_factory.mktemp("served") / "data"
    server = RunningServer(data, **s3_server.settings(store_prefix))
    yield server
    assert server.stop() == 0


@pytest.fixture
async def archiving(served: RunningServer) -> AsyncIterator[Archiving]:
    async with aiohttp.ClientSession(served.url) as session:
        yield Archiving(session)


def is_swift(server: S3Server) -> bool:
    return server.kind == "swift"


async def test_large_files_are_copied_inside_s3(
    archiving: Archiving, s3_server: S3Server, tmp_path: Path
) -> None:
    """Swift keeps no CRC-32s: there the files are put through us. Elsewhere S3 tells them."""
    count, size = (10, 50 * MIB) if is_swift(s3_server) else (5, 16 * MIB)
    members = {f"large/{number}.bin": some_bytes(size, number) for number in range(count)}
    for name, data in members.items():
        await archiving.put(name, data)
    plan = await archiving.plan("large")

    archive = await archiving.made("large/")

    assert plan["size"] == archive["size"]
    assert (archive["members"], archive["files"], plan["files"]) == (count, count, count)
    assert archive["copied"] >= count
    assert archive["parts"] == plan["parts"]
    # Between two copies lie 5 MiB that are sent.
    through = archive["usage"]["received"] + archive["usage"]["sent"]
    assert through <= 2 * count * (5 * MIB + KIB)
    assert archive["usage"]["puts"] <= plan["usage"]["puts"] + 5
    fetched = await archiving.fetch(archive, tmp_path / "large.zip")
    await fetched.require(members, PROGRAMS)


async def test_many_small_files(
    archiving: Archiving, s3_server: S3Server, store_prefix: str, tmp_path: Path
) -> None:
    count = 100 if is_swift(s3_server) else 2000
    members = {f"small/{n % 10}/{n}.bin": some_bytes(100 * KIB, n) for n in range(count)}
    await put_objects(s3_server, store_prefix, members)
    plan = await archiving.plan("small")

    archive = await archiving.made("small")

    assert (plan["size"], plan["files"], plan["bytes"]) == (
        archive["size"],
        count,
        count * 100 * KIB,
    )
    assert (archive["members"], archive["copied"]) == (count, 0)
    # Each file is read once, and sent once.
    assert count * 100 * KIB <= archive["usage"]["received"] <= count * 101 * KIB
    fetched = await archiving.fetch(archive, tmp_path / "small.zip")
    await fetched.require(members, PROGRAMS)


MIXED: Members = {
    "mixed/": b"",
    "mixed/a%2Fb 100%.bin": some_bytes(6 * MIB, 1),
    "mixed/c++ & friends.txt": b"c++",
    "mixed/#1?query=1.bin": some_bytes(20 * MIB + 1, 2),
    "mixed/\"quoted\" 'twice'.bin": some_bytes(5 * MIB, 3),
    "mixed/empty file": b"",
    "mixed/empty folder/": b"",
    "mixed/ü/日本語/😀 +%20.bin": some_bytes(11 * MIB, 4),
    "mixed/ü/日本語/😀.txt": "😀".encode() * 1000,
    "mixed/<&>;=@:!$*(),~^`{}[]|.bin": some_bytes(8 * MIB + 3, 5),
    "mixed/z/big.bin": some_bytes(30 * MIB, 6),
    **{f"mixed/z/{number}": some_bytes(number * 777, number) for number in range(40)},
}


async def test_all_kinds_of_files_and_names(
    archiving: Archiving, s3_server: S3Server, store_prefix: str, tmp_path: Path
) -> None:
    """Put there by another program, so no CRC-32 is known."""
    await put_objects(s3_server, store_prefix, MIXED)
    plan = await archiving.plan("mixed")

    archive = await archiving.made("mixed")

    members = named_in_zip({name: data for name, data in MIXED.items() if name != "mixed/"})
    assert plan["size"] == archive["size"]
    assert (plan["files"], plan["folders"]) == (len(members) - 1, 1)
    assert archive["copied"] >= 2
    fetched = await archiving.fetch(archive, tmp_path / "mixed.zip")
    await fetched.require(members, [*READERS.values(), java_file])


async def test_an_archive_leaves_nothing_but_itself(
    start_server: StartServer, s3_server: S3Server
) -> None:
    prefix = f"t/{uuid4().hex}"
    server = start_server(**s3_server.settings(prefix))
    files = {f"f/{number}": some_bytes(7 * MIB, number) for number in range(4)}
    await put_objects(s3_server, prefix, files)

    async with aiohttp.ClientSession(server.url) as session:
        archive = await Archiving(session).made("f", key="made/ü +%.zip")

    assert archive["key"] == "made/ü +%.zip"
    assert await left_in(s3_server, prefix, [*files, archive["key"]]) == NOTHING


async def test_the_folder_may_be_named_as_the_whole_bucket_knows_it(
    archiving: Archiving, s3_server: S3Server, store_prefix: str
) -> None:
    await put_objects(s3_server, store_prefix, {"named/ü %/a": b"a"})

    url = f"s3://{s3_server.bucket}/{store_prefix}/named/ü %/"
    archive = await archiving.made(url)

    assert (archive["prefix"], archive["key"]) == ("named/ü %/", "exports/named/ü %.zip")
    await archiving.begin(f"s3://{s3_server.bucket}/another/", status=400)


async def test_a_store_that_is_a_whole_bucket(
    start_server: StartServer, s3_server: S3Server, tmp_path: Path
) -> None:
    folder = f"t/{uuid4().hex}/photos"
    files = {f"photos/{number}": some_bytes(6 * MIB, number) for number in range(3)}
    await put_objects(s3_server, folder.rpartition("/")[0], files)
    settings = {**s3_server.settings(""), "store": f"s3://{s3_server.bucket}"}
    server = start_server(**settings)

    async with aiohttp.ClientSession(server.url) as session:
        archive = await Archiving(session).made(folder, key=f"{folder}.zip")
        fetched = await Archiving(session).fetch(archive, tmp_path / "photos.zip")

    await fetched.require(files)


async def test_the_same_wish_is_the_same_archive_until_the_folder_changes(
    archiving: Archiving, s3_server: S3Server, store_prefix: str
) -> None:
    await put_objects(s3_server, store_prefix, {"same/a": b"a" * 100, "same/b": b"b"})
    first = await archiving.made("same")

    again = await archiving.begin("same/", status=200)
    await put_objects(s3_server, store_prefix, {"same/a": b"c" * 100})
    changed = await archiving.made("same")

    assert again["id"] == first["id"] != changed["id"]
    assert again["archive"]["crc32"] != changed["archive"]["crc32"]


async def test_an_empty_folder_is_not_found(archiving: Archiving) -> None:
    answer = await archiving.begin("nothing/there", status=404)

    assert answer["code"] == "not-found"


async def test_a_presigned_link_is_fetched_by_curl(
    archiving: Archiving, s3_server: S3Server, store_prefix: str, tmp_path: Path
) -> None:
    need("curl")
    members = {"linked/a": some_bytes(6 * MIB), "linked/b": b"b"}
    await put_objects(s3_server, store_prefix, members)

    archive = await archiving.made(
        "linked", key="links/ü 'a' +%.zip", link="presigned", link_expiry=60
    )

    command = ["curl", "--fail", "--silent", "--show-error", "-OJ", archive["link"]]
    await asyncio.to_thread(subprocess.run, command, check=True, cwd=tmp_path, timeout=60)
    (saved,) = tmp_path.iterdir()
    assert saved.read_bytes()[:4] == b"PK\3\4"
    assert saved.stat().st_size == archive["size"]
    assert archive["link_expires"] > archive["ended"]


async def test_the_archive_has_its_tags(
    archiving: Archiving, s3_server: S3Server, store_prefix: str
) -> None:
    await put_objects(s3_server, store_prefix, {"tagged/a": some_bytes(6 * MIB)})
    tags = {"team": "a b+c", "cost": "ü=1"}

    begun = await archiving.begin("tagged", tags=tags)

    archive = await archiving.ended(begun["id"])
    if is_swift(s3_server):  # which has none, and says so
        assert (archive["state"], archive["error"]["code"]) == ("failed", "bad-request")
        assert "leave them out" in archive["error"]["detail"]
        return
    assert (archive["state"], archive["tags"]) == ("done", tags)
    if s3_server.kind == "ministack":
        pytest.skip("ministack drops the tags of multipart uploads")
    assert await tags_of(s3_server, f"{store_prefix}/{archive['key']}") == tags
