"""ZIPs through the library: whole, resumed as long as nothing changed, verified."""

import io
import os
import zipfile
from pathlib import Path

import pytest

from penstock.client import Client
from penstock.errors import BadRequest, DigestMismatch, NotFound, ServerUnavailable
from tests.client.conftest import MIB
from tests.client.proxy import Proxy, proxy_to
from tests.conftest import StartServer


async def filled(client: Client, prefix: str) -> dict[str, bytes]:
    """Store some files; answers them by their names in a ZIP of the prefix."""
    contents = {
        f"{prefix}one.bin": os.urandom(3 * MIB),
        f"{prefix}two ü.bin": os.urandom(3 * MIB),
        f"{prefix}sub/empty": b"",
    }
    for key, content in contents.items():
        await client.put(io.BytesIO(content), key)
    return contents


def unzipped(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


async def test_a_folder_as_one_zip(client: Client, tmp_path: Path) -> None:
    contents = await filled(client, "whole/")

    info = await client.zip(tmp_path / "whole.zip", prefixes=["whole/"])

    assert unzipped(tmp_path / "whole.zip") == contents
    assert info.size == (tmp_path / "whole.zip").stat().st_size
    assert (info.entries, info.renamed) == (3, [])


async def test_chosen_keys_under_a_name(client: Client, tmp_path: Path) -> None:
    contents = await filled(client, "keys/")

    info = await client.zip(tmp_path / "x", keys=["keys/one.bin"], name="chosen.zip")

    assert info.name == "chosen.zip"
    assert list(unzipped(tmp_path / "x").values()) == [contents["keys/one.bin"]]


async def test_a_later_call_goes_on(client: Client, proxy: Proxy, tmp_path: Path) -> None:
    contents = await filled(client, "later/")
    target = tmp_path / "later.zip"
    await break_off(proxy, "later/", target)

    async with Client(proxy.url) as patient:
        await patient.zip(target, prefixes=["later/"])

    assert unzipped(target) == contents
    assert len(proxy.ranges) == 1
    assert os.listdir(tmp_path) == ["later.zip"]


async def break_off(proxy: Proxy, prefix: str, target: Path) -> None:
    """Leave about 2 MiB of a ZIP in its part."""
    proxy.cut_answers = [2 * MIB]
    async with Client(proxy.url, tries=1) as impatient:
        with pytest.raises(ServerUnavailable):
            await impatient.zip(target, prefixes=[prefix])
    assert target.with_name(target.name + ".part").stat().st_size > MIB


async def test_a_changed_member_starts_the_zip_again(
    client: Client, proxy: Proxy, tmp_path: Path
) -> None:
    contents = await filled(client, "changed/")
    target = tmp_path / "changed.zip"
    await break_off(proxy, "changed/", target)
    contents["changed/one.bin"] = os.urandom(3 * MIB)
    await client.put(io.BytesIO(contents["changed/one.bin"]), "changed/one.bin")

    async with Client(proxy.url) as patient:
        await patient.zip(target, prefixes=["changed/"])

    assert unzipped(target) == contents
    assert proxy.ranges == []


async def test_the_same_zip_is_left_alone(client: Client, tmp_path: Path) -> None:
    await filled(client, "same/")
    target = tmp_path / "same.zip"
    await client.zip(target, prefixes=["same/"])
    before = target.stat()

    await client.zip(target, prefixes=["same/"])

    assert (target.stat().st_ino, target.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


async def test_a_stream_is_resumed_and_verified(
    client: Client, proxy: Proxy, tmp_path: Path
) -> None:
    contents = await filled(client, "stream/")
    proxy.cut_answers = [2 * MIB, MIB]
    stream = io.BytesIO()

    async with Client(proxy.url) as shaky:
        await shaky.zip(stream, prefixes=["stream/"])

    (tmp_path / "x.zip").write_bytes(stream.getvalue())
    assert unzipped(tmp_path / "x.zip") == contents
    assert len(proxy.ranges) == 2


async def test_a_flipped_byte_is_noticed(client: Client, proxy: Proxy, tmp_path: Path) -> None:
    await filled(client, "flipped/")
    proxy.flip_answer = 4 * MIB

    async with Client(proxy.url) as shaky:
        with pytest.raises(DigestMismatch):
            await shaky.zip(tmp_path / "x.zip", prefixes=["flipped/"])

    assert os.listdir(tmp_path) == []


async def test_a_selection_that_expired_is_made_again(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(zip_expiry=0.5)
    async with proxy_to(server.url) as proxy, Client(proxy.url, limit_rate=4 * MIB) as client:
        contents = await filled(client, "expired/")
        await client.__aexit__()
        await client.__aenter__()
        proxy.cut_answers = [4 * MIB]

        await client.zip(tmp_path / "x.zip", prefixes=["expired/"])

    assert unzipped(tmp_path / "x.zip") == contents
    assert sum(head.startswith(b"POST /v1/zips ") for head in proxy.heads) == 2


async def test_what_is_missing_is_named(client: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        await client.zip(tmp_path / "x.zip", keys=["missing/file"])
    with pytest.raises(NotFound):
        await client.zip(tmp_path / "x.zip", prefixes=["missing/"])
    with pytest.raises(BadRequest):
        await client.zip(tmp_path / "x.zip")

    assert caught.value.extra["missing"] == ["missing/file"]
    assert os.listdir(tmp_path) == []
