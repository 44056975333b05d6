"""A server tells a receiver what becomes of the uploads that a tus client makes."""

import asyncio
import hashlib
import io
import os
import socket
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text
from tusclient import client as tus
from tusclient.exceptions import TusCommunicationError

from penstock.server import Services, build_app, make_runner
from penstock.settings import Settings
from penstock.uploads import Creation
from penstock.wiring import open_services
from tests.conftest import StartServer
from tests.hooks.hearing import SECRET, Hearing, hearing, held
from tests.serving import RunningServer

DATA = os.urandom(300_000)


def upload(server: RunningServer, key: str, data: bytes = DATA, **metadata: str) -> str:
    """Upload in three requests, by a client that is not ours; answers the id."""
    uploader = tus.TusClient(f"{server.url}/v1/uploads").uploader(
        file_stream=io.BytesIO(data), metadata={"filename": key, **metadata}, chunk_size=100_000
    )
    uploader.upload()
    return id_of(uploader.url)


def id_of(url: str | None) -> str:
    return str(url).rpartition("/")[2]


async def start(start_server: StartServer, **options: Any) -> RunningServer:
    return await asyncio.to_thread(start_server, hooks_secret=SECRET, **options)


async def test_an_upload_is_told_when_it_begins_and_when_it_is_stored(
    start_server: StartServer, receiver: Hearing, url: str
) -> None:
    server = await start(start_server, hooks_url=receiver.url, catalog=url)

    identity = await asyncio.to_thread(upload, server, "films/a.mkv", filetype="video/mp4")
    await receiver.count(2)

    created, finished = receiver.heard
    metadata = f"filename {b64encode(b'films/a.mkv').decode()},filetype dmlkZW8vbXA0"
    same = {
        "id": identity,
        "kind": "whole",
        "key": "films/a.mkv",
        "length": len(DATA),
        "content_type": "video/mp4",
        "metadata": metadata,
    }
    assert created.type == "upload.created"
    assert created.data == same | {"offset": 0, "outcome": None}
    assert finished.type == "upload.finished"
    outcome = finished.data.pop("outcome")
    assert finished.data == same | {"offset": len(DATA)}
    assert outcome["replaced"] is False
    assert outcome["file"]["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert outcome["file"]["size"] == len(DATA)
    with await asyncio.to_thread(
        urllib.request.urlopen, f"{server.url}/v1/files/films/a.mkv"
    ) as got:
        assert got.headers["ETag"] == f'"{outcome["file"]["etag"]}"'


async def test_an_upload_that_fails_or_is_deleted_is_told(
    start_server: StartServer, receiver: Hearing
) -> None:
    server = await start(start_server, hooks_url=receiver.url)

    def fail() -> None:
        with pytest.raises(TusCommunicationError):
            upload(server, "wrong", sha256="0" * 64)

    def delete() -> None:
        uploader = tus.TusClient(f"{server.url}/v1/uploads").uploader(
            file_stream=io.BytesIO(DATA), metadata={"filename": "left"}, chunk_size=100_000
        )
        uploader.upload_chunk()  # type: ignore[no-untyped-call]
        request = urllib.request.Request(
            str(uploader.url), method="DELETE", headers={"Tus-Resumable": "1.0.0"}
        )
        urllib.request.urlopen(request).close()

    await asyncio.to_thread(fail)
    await asyncio.to_thread(delete)
    await receiver.count(4)

    told = {(heard.data["key"], heard.type): heard.data for heard in receiver.heard}
    assert told.keys() == {
        ("wrong", "upload.created"),
        ("wrong", "upload.failed"),
        ("left", "upload.created"),
        ("left", "upload.deleted"),
    }
    assert told["wrong", "upload.failed"]["outcome"]["error"]["code"] == "digest-mismatch"


async def test_an_upload_that_expires_is_told(receiver: Hearing, tmp_path: Path) -> None:
    def open_them() -> Services:
        return open_services(
            Settings(
                data=tmp_path,
                upload_expiry=0.01,
                hooks_url=receiver.url,
                hooks_secret=SecretStr(SECRET),
            )
        )

    services = await asyncio.to_thread(open_them)
    runner = make_runner(build_app(services))
    await runner.setup()
    async with await services.uploads.create(Creation(key="left", length=10)) as session:
        await session.append(b"12345")

    async with asyncio.timeout(60):
        while not await services.uploads.sweeper.sweep():
            await asyncio.sleep(0.05)
    await receiver.count(2)

    assert [heard.type for heard in receiver.heard] == ["upload.created", "upload.expired"]
    assert receiver.heard[1].data["offset"] == 5
    await runner.cleanup()
    await services.close()


async def test_what_nobody_heard_is_told_after_a_kill(
    start_server: StartServer, tmp_path: Path, url: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "data": tmp_path / "data",
        "hooks_url": f"http://127.0.0.1:{port}/hooks",
        "catalog": url,
    }
    server = await start(start_server, **options)
    first = await asyncio.to_thread(upload, server, "first")
    server.kill()
    again = await start(start_server, **options)
    second = await asyncio.to_thread(upload, again, "second")

    async with hearing(port) as receiver:
        await receiver.count(4)

        told = [(heard.data["id"], heard.type) for heard in receiver.heard]
        assert [kind for identity, kind in told if identity == first] == [
            "upload.created",
            "upload.finished",
        ]
        assert [kind for identity, kind in told if identity == second] == [
            "upload.created",
            "upload.finished",
        ]


@pytest.mark.slow
async def test_another_server_tells_what_a_killed_one_was_about_to(
    start_server: StartServer, receiver: Hearing, tmp_path: Path
) -> None:
    receiver.answers = [held(asyncio.Event())]
    options = {"data": tmp_path / "data", "hooks_url": receiver.url}
    server = await start(start_server, **options)
    await asyncio.to_thread(upload, server, "film")
    await receiver.count(1)
    await start(start_server, **options)

    server.kill()
    await receiver.count(3)

    assert [heard.type for heard in receiver.heard] == [
        "upload.created",
        "upload.created",
        "upload.finished",
    ]
    assert receiver.heard[0].id == receiver.heard[1].id


async def test_without_a_receiver_nothing_is_taken_down(
    start_server: StartServer, url: str
) -> None:
    server = await start(start_server, catalog=url)
    await asyncio.to_thread(upload, server, "film")

    def rows() -> tuple[int, ...]:
        engine = create_engine(url)
        with engine.connect() as connection:
            counted = "SELECT (SELECT count(*) FROM uploads), (SELECT count(*) FROM outbox)"
            found = tuple(connection.execute(text(counted)).one())
        engine.dispose()
        return found

    assert await asyncio.to_thread(rows) == (1, 0)


async def test_the_secret_is_in_no_log(start_server: StartServer, receiver: Hearing) -> None:
    receiver.answers = [500]
    server = await start(start_server, hooks_url=receiver.url, log_level="debug")
    await asyncio.to_thread(upload, server, "film")
    await receiver.count(3)
    await asyncio.to_thread(server.stop)

    log = server.log.read_text()
    assert "hook failed" in log
    assert SECRET.removeprefix("whsec_") not in log
