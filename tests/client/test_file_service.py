"""Uploads and downloads by the routes of s3testcase's file service."""

import asyncio
import random
from pathlib import Path

import pytest

from penstock.client import Client, ServedFile
from penstock.errors import BadKey, BadRequest, DigestMismatch, NotFound
from tests.client.proxy import listening, proxy_to
from tests.serving import RunningServer

DATA = random.Random(8).randbytes(300_000)


@pytest.mark.parametrize("name", ["100% a+b.txt", 'a "b".txt', "Отчёт №1.txt", "?#&=;.txt", "%41"])
async def test_odd_names_come_back(server: RunningServer, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(name)

    async with Client(server.url) as client:
        sent = await client.file_service.upload(tmp_path / name)
        came = await client.file_service.download(name, tmp_path / "back")

    assert sent == came
    assert (came.name, came.size, came.verified) == (name, len(name.encode()), True)
    assert (tmp_path / "back").read_text() == name


async def test_a_file_of_no_bytes(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    async with Client(server.url) as client:
        await client.file_service.upload(tmp_path / "empty")
        came = await client.file_service.download("empty", tmp_path / "back")

    assert (came.size, came.verified) == (0, True)
    assert (tmp_path / "back").read_bytes() == b""


async def test_what_is_uploaded_is_a_file_like_any_other(
    server: RunningServer, tmp_path: Path
) -> None:
    (tmp_path / "any.mp4").write_bytes(DATA)
    told: list[ServedFile] = []

    async with Client(server.url) as client:
        sent = await client.file_service.upload(tmp_path / "any.mp4", announce=told.append)
        info = await client.stat("any.mp4")

    assert (info.size, info.sha256, info.content_type) == (sent.size, sent.sha256, "video/mp4")
    assert [one.sha256 for one in told] == [sent.sha256]


async def test_a_download_that_must_not_be_takes_no_place(
    server: RunningServer, tmp_path: Path
) -> None:
    (tmp_path / "flipped").write_bytes(DATA)
    async with proxy_to(server.url) as proxy:
        async with Client(proxy.url) as client:
            await client.file_service.upload(tmp_path / "flipped")
            proxy.flip_answer = 200_000
            with pytest.raises(DigestMismatch):
                await client.file_service.download("flipped", tmp_path / "back")
        with pytest.raises(NotFound):
            async with Client(server.url) as client:
                await client.file_service.download("missing", tmp_path / "back")

    assert [path.name for path in tmp_path.iterdir()] == ["flipped"]


async def test_without_a_digest_it_is_told_that_nothing_was_verified(
    server: RunningServer, tmp_path: Path
) -> None:
    (tmp_path / "unverified").write_bytes(DATA)
    async with proxy_to(server.url) as proxy:
        proxy.digests = False
        async with Client(proxy.url) as client:
            sent = await client.file_service.upload(tmp_path / "unverified")
            came = await client.file_service.download("unverified", tmp_path / "back")

    assert (sent.verified, came.verified) == (False, False)


async def test_s3testcase_itself_is_understood(tmp_path: Path) -> None:
    """Its answers to the letter: no version, no ranges, no HEAD, no digest."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)
        if head.startswith(b"POST"):
            await reader.readexactly(len(DATA))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(
                b"HTTP/1.1 200 OK\r\n"
                b'Content-Disposition: attachment; filename="a b"\r\n'
                b"Content-Length: 300000\r\n"
                b"Content-Type: video/mp4\r\n\r\n" + DATA
            )
        await writer.drain()
        await reader.read()

    (tmp_path / "a b").write_bytes(DATA)
    async with listening(serve) as url, Client(url) as client:
        await client.file_service.upload(tmp_path / "a b")
        came = await client.file_service.download("a b", tmp_path / "back")

    assert asked[0].startswith(b"POST /upload HTTP/1.1\r\n")
    assert b"\r\nX-File-Name: a b\r\n" in asked[0]
    assert b"\r\nContent-Length: 300000\r\n" in asked[0]
    assert asked[1].startswith(b"GET /files/a%20b HTTP/1.1\r\n")
    assert (came.content_type, came.verified) == ("video/mp4", False)
    assert (tmp_path / "back").read_bytes() == DATA


async def test_names_that_a_header_field_would_change_are_not_sent(
    server: RunningServer, tmp_path: Path
) -> None:
    async with Client(server.url) as client:
        for name in (" a", "a\n"):
            (tmp_path / name).touch()
            with pytest.raises(BadKey):
                await client.file_service.upload(tmp_path / name)


async def test_what_has_no_length_is_not_sent(server: RunningServer) -> None:
    async with Client(server.url) as client:
        with pytest.raises(BadRequest, match="no regular file"):
            await client.file_service.upload("/dev/null")
