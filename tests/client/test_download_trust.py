"""What a download must not take for right, must not tell, and must not do for ever."""

import asyncio
import errno
import hashlib
import io
import json
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.client import Client
from penstock.client.download import Download
from penstock.client.lanes import Lanes
from penstock.errors import (
    BadRequest,
    DigestMismatch,
    NotFound,
    PenstockError,
    ServerUnavailable,
    SourceChanged,
)
from tests.client.conftest import MIB
from tests.client.proxy import listening
from tests.faults import (
    Fault,
    Source,
    after,
    chunked,
    cut,
    ignore_range,
    redirect,
    status,
    throttle,
    with_headers,
)

FILM = os.urandom(3 * MIB + 17)
DIGEST = hashlib.sha256(FILM).hexdigest()
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here" / "film"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(NOBODY, timeout=10) as made:
        yield made


@pytest.fixture
async def lanes() -> AsyncIterator[Lanes]:
    made = Lanes(timeout=10)
    yield made
    await made.close()


async def broken_off(url: str, target: Path) -> None:
    """An earlier run that ended in the middle."""
    async with Client(NOBODY, tries=1) as impatient:
        with pytest.raises(ServerUnavailable):
            await impatient.download(url, target)


async def test_a_digest_that_is_told_on_a_resume_is_held_too(
    client: Client, source: Source, target: Path
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', faults=[cut(MIB)])
    await broken_off(url, target)

    with pytest.raises(DigestMismatch):
        await client.download(url, target, sha256="0" * 64)

    assert os.listdir(target.parent) == []


async def test_a_digest_in_capitals_is_the_same(
    client: Client, source: Source, target: Path
) -> None:
    await client.download(source.serve("/film", FILM), target, sha256=DIGEST.upper())

    assert target.read_bytes() == FILM


async def test_a_date_that_is_not_told_any_more_is_another_version(
    client: Client, source: Source, target: Path
) -> None:
    newer = os.urandom(len(FILM))
    old = Fault(end="cut", after=MIB, headers={"Date": "Sat, 21 Nov 2026 10:00:00 GMT"})
    careless = Fault(conditions=False, before=lambda: change(source, newer))
    url = source.serve("/film", FILM, last_modified=1_700_000_000, faults=[old, careless])

    await client.download(url, target)

    assert target.read_bytes() == newer


def change(source: Source, content: bytes) -> None:
    source.files["/film"].content = content
    source.files["/film"].last_modified = None


async def test_what_is_there_is_not_written_over(
    client: Client, source: Source, target: Path
) -> None:
    damaged = bytes(MIB) + FILM[MIB:]
    whole = replace(ignore_range(), before=lambda: put(source, damaged))
    url = source.serve("/film", FILM, etag='"v1"', faults=[cut(2 * MIB), whole])

    await client.download(url, target, sha256=DIGEST)

    assert target.read_bytes() == FILM


def put(source: Source, content: bytes) -> None:
    source.files["/film"].content = content


async def test_who_reads_along_gets_no_second_version(
    lanes: Lanes, source: Source, target: Path
) -> None:
    """The source tells no version, so after a break it may be another one."""
    url = source.serve("/film", FILM, faults=[cut(MIB)])
    running = await Download.open(lanes, url, str(target), restart=False)

    with pytest.raises(SourceChanged):
        await running.run()
    await running.close()

    assert os.listdir(target.parent) == []


async def test_what_is_answered_is_of_the_version_that_came(
    client: Client, source: Source, target: Path
) -> None:
    def renew() -> None:
        source.files["/film"].content, source.files["/film"].etag = b"newer", '"v2"'

    url = source.serve("/film", FILM, etag='"v1"', faults=[cut(MIB), after(renew)])

    info = await client.download(url, target)

    assert (info.etag, info.size) == ('"v2"', 5)


async def test_a_disk_that_fails_is_told_of_however_late(
    lanes: Lanes, source: Source, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells it once, and that may be while the state is saved."""
    running = await Download.open(lanes, source.serve("/film", FILM, etag='"1"'), str(target))
    monkeypatch.setattr("penstock.client.download.SAVE_SECONDS", 0.01)
    failures = iter([OSError(errno.EIO, "Input/output error")])

    def fails_once(fd: int) -> None:
        for failure in failures:
            raise failure

    monkeypatch.setattr(os, "fdatasync", fails_once)

    with pytest.raises(OSError, match="Input/output"):
        await running.run()
    await running.close()

    assert not target.exists()


@pytest.mark.parametrize("location", ["/my film", "/fílm", "/my%20film"])
async def test_a_redirect_may_lack_its_escapes(
    client: Client, source: Source, target: Path, location: str
) -> None:
    source.serve("/my%20film", FILM)
    source.serve("/f%C3%ADlm", FILM)
    entry = source.serve("/entry", b"", always=redirect(location))

    await client.download(entry, target)

    assert target.read_bytes() == FILM


async def test_what_cannot_be_sent_is_told_once(client: Client, source: Source) -> None:
    url = source.serve("/film", FILM, etag='"1"')

    with pytest.raises((BadRequest, PenstockError), match="cannot be sent"):
        await client.download(url, "/dev/shm/never", headers={"X-Name": "a\nb"})

    assert source.requests == []


async def test_a_body_that_ends_before_what_is_there_starts_again(
    client: Client, source: Source, target: Path
) -> None:
    short = replace(chunked(), ranges=False, before=lambda: put(source, FILM[:1000]))
    broken = replace(cut(2 * MIB, framing="chunked"))
    url = source.serve("/film", FILM, etag='"1"', faults=[broken, short], always=chunked())

    await client.download(url, target)

    assert target.read_bytes() == FILM[:1000]


async def test_a_length_that_is_told_later_is_learned(
    client: Client, source: Source, target: Path
) -> None:
    url = source.serve("/film", FILM, etag='"1"', faults=[cut(MIB, framing="chunked")])

    await client.download(url, target)

    assert target.read_bytes() == FILM
    assert source.ranges[1] is not None


async def test_more_than_the_range_is_not_read(target: Path) -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            first = int(head.partition("Range: bytes=")[2].partition("-")[0] or 0)
            answer = "206 Partial Content" if "Range:" in head else "200 OK"
            told = f"Content-Range: bytes {first}-{first}/3\r\n" if "Range:" in head else ""
            writer.write(
                f'HTTP/1.1 {answer}\r\nETag: "1"\r\nContent-Length: 3\r\n\r\n'.encode()
                if head.startswith("HEAD")
                else f'HTTP/1.1 {answer}\r\nETag: "1"\r\n{told}'
                "Transfer-Encoding: chunked\r\n\r\n".encode()
            )
            while not head.startswith("HEAD"):
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await writer.drain()
                sent += 4096

    async with listening(endless) as url, Client(url, range_size=1, parallel=1) as client:
        await client.download(f"{url}/film", target)

    assert target.read_bytes() == b"xxx"
    assert sent < 64 * MIB


async def test_interim_answers_do_not_go_on_for_ever(target: Path) -> None:
    async def flooding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
            await writer.drain()

    async with listening(flooding) as url, Client(url, tries=1) as client:
        with pytest.raises(ServerUnavailable, match="not HTTP"):
            await client.download(f"{url}/film", target)


async def test_another_address_that_fails_leaves_the_part_alone(
    client: Client, source: Source, target: Path
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', faults=[cut(MIB)])
    await broken_off(url, target)

    with pytest.raises(NotFound):
        await client.download(source.url + "/typo", target)

    assert sorted(os.listdir(target.parent)) == ["film.part", "film.part.json"]


async def test_who_reads_along_is_told_of_a_resume_at_once(
    lanes: Lanes, source: Source, target: Path
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', faults=[cut(MIB)], always=throttle(MIB))
    await broken_off(url, target)
    running = await Download.open(lanes, url, str(target))
    whole = asyncio.ensure_future(running.run())

    await running.head()
    is_whole = whole.done()
    whole.cancel()
    await asyncio.gather(whole, return_exceptions=True)
    await running.close()

    assert not is_whole


async def test_a_complete_part_of_a_link_that_is_good_for_get_only(
    client: Client, source: Source, target: Path
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', faults=[cut(MIB)], head_faults=[status(403)])
    await broken_off(url, target)
    target.with_name("film.part").write_bytes(FILM)
    state_path = target.with_name("film.part.json")
    state = json.loads(state_path.read_text())
    state_path.write_text(json.dumps(state | {"have": [[0, len(FILM)]]}))

    await client.download(url, target)

    assert target.read_bytes() == FILM


async def test_a_long_answer_with_a_digest_is_kept_as_far_as_it_came(
    source: Source, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.client.carrying.MOST_CHECKED", MIB)
    broken = replace(cut(2 * MIB), headers={"Content-Digest": f"sha-256=:{'A' * 43}=:"})
    url = source.serve("/film", FILM, etag='"1"', faults=[broken])

    await broken_off(url, target)

    state = json.loads(target.with_name("film.part.json").read_text())
    assert state["have"] == [[0, 2 * MIB]]


async def test_a_state_tells_no_secrets(source: Source, target: Path) -> None:
    url = source.serve("/film", FILM, etag='"1"', faults=[cut(MIB)])
    secret = url.replace("http://", "http://user:hidden@") + "?signature=hidden"

    await broken_off(secret, target)

    state_path = target.with_name("film.part.json")
    assert "hidden" not in state_path.read_text()
    assert source.requests[0].headers["authorization"].startswith("Basic ")
    assert stat.S_ISREG(state_path.stat().st_mode)


async def test_headers_of_a_stream_stay_with_the_first_server_too(
    client: Client, source: Source
) -> None:
    elsewhere = source.url.replace("127.0.0.1", "localhost") + "/film"
    entry = source.serve("/entry", b"", always=redirect(elsewhere))
    source.serve("/film", FILM)
    stream = io.BytesIO()

    await client.download(entry, stream, headers={"Private-Token": "hidden"})

    assert stream.getvalue() == FILM
    assert [one.headers.get("private-token") for one in source.requests] == ["hidden", None]


@pytest.mark.parametrize(
    "headers",
    [
        {"Last-Modified": "never"},
        {"Last-Modified": "Sat, 21 Nov 99999 10:00:00 GMT"},
        {"Date": "Sat, 21 Nov 99999 10:00:00 GMT", "Last-Modified": "x"},
    ],
)
async def test_nonsense_in_dates_is_no_error(
    client: Client, source: Source, target: Path, headers: dict[str, str]
) -> None:
    always = with_headers(**{name.replace("-", "_"): value for name, value in headers.items()})

    await client.download(source.serve("/film", FILM, always=always), target)

    assert target.read_bytes() == FILM


async def test_a_name_that_can_be_no_host(client: Client, target: Path) -> None:
    with pytest.raises(PenstockError):
        await client.download(f"http://{'a' * 64}.example/film", target)


async def test_requests_say_who_asks(client: Client, source: Source, target: Path) -> None:
    await client.download(source.serve("/film", FILM), target, headers={"accept": "video/*"})

    headers = source.requests[0].headers
    assert headers["user-agent"].startswith("penstock/")
    assert headers["accept"] == "video/*"
