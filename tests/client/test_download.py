"""Files of any HTTP server: in parallel, gone on with, of one version, verified."""

import asyncio
import base64
import hashlib
import io
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.client import Client, crew
from penstock.client.answers import Version
from penstock.client.download import Download, Ranges
from penstock.client.lanes import Lanes
from penstock.client.part_file import adopt
from penstock.errors import (
    BadRequest,
    DigestMismatch,
    Forbidden,
    NotFound,
    PenstockError,
    ServerUnavailable,
    SourceChanged,
)
from tests.client.conftest import MIB
from tests.faults import (
    Source,
    after,
    chunked,
    cut,
    ignore_range,
    redirect,
    reset,
    stall,
    status,
    throttle,
    until_close,
    with_headers,
)

FILM = os.urandom(6 * MIB + 17)
DIGEST = hashlib.sha256(FILM).hexdigest()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here" / "film"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client("http://127.0.0.1:9", timeout=10) as made:
        yield made


@pytest.fixture
async def lanes() -> AsyncIterator[Lanes]:
    made = Lanes(timeout=10)
    yield made
    await made.close()


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """More connections at once, and for small files too."""
    monkeypatch.setattr(crew, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(crew, "WORTH_SECONDS", 0.05)
    monkeypatch.setattr(crew, "FIRST_STRETCH", MIB)


def beside(target: Path) -> list[str]:
    return sorted(os.listdir(target.parent))


def served(source: Source, **how: object) -> str:
    return source.serve("/film", FILM, etag='"v1"', **how)  # type: ignore[arg-type]


async def broken_off(client: Client, url: str, target: Path) -> None:
    """A first run that ends with an error and leaves a part."""
    with pytest.raises(PenstockError):
        await client.download(url, target)
    assert beside(target) == ["film.part", "film.part.json"]


async def test_a_file_comes_byte_for_byte(client: Client, source: Source, target: Path) -> None:
    info = await client.download(served(source), target)

    assert target.read_bytes() == FILM
    assert (info.sha256, info.size, info.etag) == (DIGEST, len(FILM), '"v1"')
    assert beside(target) == ["film"]
    assert [one.method for one in source.requests] == ["GET"]


async def test_an_empty_file(client: Client, source: Source, target: Path) -> None:
    await client.download(source.serve("/empty", b""), target)

    assert target.read_bytes() == b""


async def test_a_long_download_gets_more_connections(
    client: Client, source: Source, target: Path, eager: None
) -> None:
    await client.download(served(source, always=throttle(4 * MIB)), target)

    assert target.read_bytes() == FILM
    assert 2 <= source.most_open <= 5  # four, and one that is closing


async def test_connections_that_do_not_help_are_not_added(
    client: Client, source: Source, target: Path
) -> None:
    await client.download(served(source), target)

    assert source.accepted == 1


async def test_a_server_that_refuses_more_connections_gets_no_more(
    client: Client, source: Source, target: Path, eager: None
) -> None:
    slow = throttle(3 * MIB)
    refused = status(503, Retry_After="0")
    url = served(source, faults=[slow, refused], always=slow)

    await client.download(url, target)

    assert target.read_bytes() == FILM
    assert len(source.requests) < 6


@pytest.mark.parametrize("fault", [cut(MIB), reset(2 * MIB), stall(3 * MIB)])
async def test_what_breaks_off_goes_on(source: Source, target: Path, fault: object) -> None:
    url = served(source, faults=[fault])

    async with Client("http://127.0.0.1:9", timeout=0.5) as client:
        await client.download(url, target)

    assert target.read_bytes() == FILM
    first, second = source.ranges
    assert first is None
    assert second is not None
    assert int(second.removeprefix("bytes=").rstrip("-")) > 0


async def test_every_connection_of_several_may_break(
    client: Client, source: Source, target: Path, eager: None
) -> None:
    slow = throttle(4 * MIB)
    url = served(source, faults=[slow, reset(100_000), slow, cut(5000), slow], always=slow)

    await client.download(url, target)

    assert target.read_bytes() == FILM


async def test_a_later_run_fetches_only_what_is_missing(
    client: Client, source: Source, target: Path
) -> None:
    url = served(source, faults=[cut(4 * MIB)])
    async with Client("http://127.0.0.1:9", tries=1) as impatient:
        await broken_off(impatient, url, target)
    source.sent = 0

    await client.download(url, target)

    assert target.read_bytes() == FILM
    assert source.sent < 3 * MIB


async def test_the_holes_of_a_part_are_filled(client: Client, source: Source, target: Path) -> None:
    url = served(source, faults=[cut(4 * MIB)])
    async with Client("http://127.0.0.1:9", tries=1) as impatient:
        await broken_off(impatient, url, target)
    state_path = target.with_name("film.part.json")
    have = [[100, 2000], [MIB, 2 * MIB]]
    state_path.write_text(json.dumps(json.loads(state_path.read_text()) | {"have": have}))
    source.requests.clear()

    await client.download(url, target)

    assert target.read_bytes() == FILM
    assert source.ranges == ["bytes=0-99", f"bytes=2000-{MIB - 1}", f"bytes={2 * MIB}-"]


async def test_a_new_link_to_the_same_file_goes_on(
    client: Client, source: Source, target: Path
) -> None:
    url = served(source, faults=[cut(4 * MIB), status(403)])
    async with Client("http://127.0.0.1:9", tries=1) as impatient:
        await broken_off(impatient, f"{url}?signature=old", target)
    with pytest.raises(Forbidden):
        await client.download(f"{url}?signature=old", target)
    source.sent = 0

    await client.download(f"{url}?signature=new", target)

    assert target.read_bytes() == FILM
    assert source.sent < 3 * MIB


async def test_a_link_that_expires_is_asked_for_again(
    client: Client, source: Source, target: Path
) -> None:
    links = [redirect("/film?signature=one"), redirect("/film?signature=two")]
    entry = source.serve("/entry", b"", faults=links)
    served(source, faults=[cut(2 * MIB), status(403)])

    await client.download(entry, target)

    assert target.read_bytes() == FILM
    assert [one.path for one in source.requests] == [
        *("/entry", "/film?signature=one", "/film?signature=one"),
        *("/entry", "/film?signature=two"),
    ]


async def test_the_callers_headers_stay_with_the_first_server(
    client: Client, source: Source, target: Path
) -> None:
    entry = source.serve(
        "/entry", b"", faults=[redirect(source.url.replace("127.0.0.1", "localhost") + "/film")]
    )
    served(source)

    await client.download(entry, target, headers={"Authorization": "Bearer secret"})

    assert [one.headers.get("authorization") for one in source.requests] == ["Bearer secret", None]


async def test_redirects_in_circles_end(client: Client, source: Source, target: Path) -> None:
    url = source.serve("/circle", b"", always=redirect("/circle"))

    with pytest.raises(PenstockError, match="redirected more than 10 times"):
        await client.download(url, target)

    assert beside(target) == []


async def test_a_source_that_changes_starts_again_instead_of_being_mixed(
    client: Client, source: Source, target: Path
) -> None:
    newer = os.urandom(len(FILM))
    url = served(source, faults=[cut(MIB), after(lambda: replace(source, newer))])

    await client.download(url, target)

    assert target.read_bytes() == newer


def replace(source: Source, content: bytes) -> None:
    source.files["/film"].content = content
    source.files["/film"].etag = '"v2"'


async def test_a_source_that_changes_under_several_connections(
    client: Client, source: Source, target: Path, eager: None
) -> None:
    newer, slow = os.urandom(len(FILM)), throttle(4 * MIB)
    change = after(lambda: replace(source, newer))
    url = served(source, faults=[slow, slow, change], always=slow)

    await client.download(url, target)

    assert target.read_bytes() == newer


async def test_a_source_without_versions_starts_again(
    client: Client, source: Source, target: Path
) -> None:
    url = source.serve("/film", FILM, faults=[cut(MIB)])

    await client.download(url, target)

    assert target.read_bytes() == FILM
    assert source.ranges == [None, None]


async def test_an_old_date_is_a_version(client: Client, source: Source, target: Path) -> None:
    dated = with_headers(Date="Sat, 21 Nov 2026 10:00:00 GMT")
    broken = cut(MIB)
    broken.headers.update(dated.headers)
    url = source.serve("/film", FILM, last_modified=1_700_000_000, faults=[broken], always=dated)

    await client.download(url, target)

    assert target.read_bytes() == FILM
    assert source.ranges[1] is not None


async def test_a_server_without_ranges(client: Client, source: Source, target: Path) -> None:
    broken = cut(MIB)
    url = served(source, faults=[broken], always=ignore_range())

    await client.download(url, target)

    assert target.read_bytes() == FILM


async def test_a_file_of_unknown_length(client: Client, source: Source, target: Path) -> None:
    await client.download(served(source, always=chunked()), target)

    assert target.read_bytes() == FILM


async def test_a_body_that_ends_with_the_connection_is_not_trusted(
    client: Client, source: Source, target: Path
) -> None:
    with pytest.raises(PenstockError, match="whether it is whole"):
        await client.download(served(source, always=until_close()), target)

    assert beside(target) == []


async def test_a_range_size_asks_first_and_then_exactly(source: Source, target: Path) -> None:
    url = served(source)

    async with Client("http://127.0.0.1:9", parallel=1, range_size=2 * MIB) as client:
        await client.download(url, target)

    assert target.read_bytes() == FILM
    assert source.requests[0].method == "HEAD"
    assert source.ranges == [
        f"bytes=0-{2 * MIB - 1}",
        f"bytes={2 * MIB}-{4 * MIB - 1}",
        f"bytes={4 * MIB}-{6 * MIB - 1}",
        f"bytes={6 * MIB}-{6 * MIB + 16}",
    ]


async def test_one_connection_is_enough_for_many_ranges_and_files(
    source: Source, target: Path
) -> None:
    url = served(source)

    async with Client("http://127.0.0.1:9", parallel=1, range_size=MIB) as client:
        await client.download(url, target)
        await client.download(url, target.with_name("again"))

    assert len(source.requests) == 16
    assert source.accepted == 1


async def test_a_range_with_another_digest_is_asked_for_again(source: Source, target: Path) -> None:
    wrong = base64.b64encode(bytes(32)).decode()
    url = served(source, faults=[None, with_headers(Content_Digest=f"sha-256=:{wrong}:")])

    async with Client("http://127.0.0.1:9", parallel=1, range_size=3 * MIB) as client:
        await client.download(url, target)

    assert target.read_bytes() == FILM
    assert source.ranges.count(f"bytes={3 * MIB}-{6 * MIB - 1}") == 2


async def test_a_digest_that_the_server_tells_is_held(
    client: Client, source: Source, target: Path
) -> None:
    wrong = base64.b64encode(bytes(32)).decode()
    url = served(source, headers={"Repr-Digest": f"sha-256=:{wrong}:"})

    with pytest.raises(DigestMismatch):
        await client.download(url, target)

    assert beside(target) == []


async def test_a_digest_that_the_caller_knows_is_held(
    client: Client, source: Source, target: Path
) -> None:
    await client.download(served(source), target, sha256=DIGEST)
    with pytest.raises(DigestMismatch):
        await client.download(source.url + "/film", target.with_name("other"), sha256="0" * 64)

    assert beside(target) == ["film"]


async def test_what_is_there_with_that_digest_is_not_fetched(
    client: Client, source: Source, target: Path
) -> None:
    target.write_bytes(FILM)

    await client.download(served(source), target, sha256=DIGEST)

    assert source.requests == []


async def test_a_stream_goes_on_too(client: Client, source: Source) -> None:
    url, stream = served(source, faults=[cut(2 * MIB)]), io.BytesIO()

    await client.download(url, stream, sha256=DIGEST)

    assert stream.getvalue() == FILM


async def test_a_file_that_is_not_there(client: Client, source: Source, target: Path) -> None:
    with pytest.raises(NotFound):
        await client.download(source.url + "/nothing?signature=secret", target)

    assert beside(target) == []


async def test_errors_do_not_tell_what_follows_the_path(
    client: Client, source: Source, target: Path
) -> None:
    with pytest.raises(NotFound) as caught:
        await client.download(source.url + "/nothing?signature=secret", target)

    assert "secret" not in caught.value.detail


async def test_a_server_that_is_not_there_is_told_at_once(client: Client, target: Path) -> None:
    with pytest.raises(ServerUnavailable, match=r"cannot reach http://127\.0\.0\.1:9"):
        await client.download("http://127.0.0.1:9/film", target)


@pytest.mark.parametrize("url", ["film", "ftp://example.org/film", "http://", "http://[::1"])
async def test_what_is_no_url(client: Client, target: Path, url: str) -> None:
    with pytest.raises(BadRequest, match="must be one such as"):
        await client.download(url, target)


async def test_an_error_of_the_progress_is_not_lost(
    client: Client, source: Source, target: Path
) -> None:
    url = served(source, always=throttle(16 * MIB))
    told: list[int] = []

    def fails_once(done: int, total: int | None) -> None:
        told.append(done)
        if len(told) == 2:
            raise RuntimeError("no place for the bar")

    with pytest.raises(RuntimeError, match="no place"):
        await client.download(url, target, progress=fails_once)


async def test_what_has_come_can_be_read_meanwhile(
    lanes: Lanes, source: Source, target: Path
) -> None:
    url = served(source, always=throttle(8 * MIB))
    running = await Download.open(lanes, url, str(target))
    whole = asyncio.ensure_future(running.run())
    read = b""

    head = await running.head()
    while (stop := await running.wait(len(read))) > len(read):
        read += os.pread(running.fd, stop - len(read), len(read))
    await whole
    await running.close()

    assert head.version.size == len(FILM)
    assert read == FILM


async def test_what_is_waited_for_comes_first(lanes: Lanes, source: Source, target: Path) -> None:
    url = served(source, always=throttle(16 * MIB))
    running = await Download.open(lanes, url, str(target), ranges=Ranges(1, MIB))
    whole = asyncio.ensure_future(running.run())

    await running.head()
    await running.wait(len(FILM) - 1)
    asked = source.ranges[:4]
    whole.cancel()
    await asyncio.gather(whole, return_exceptions=True)
    await running.close()

    assert f"bytes={len(FILM) - 1}-{len(FILM) - 1}" in asked


async def test_those_who_wait_are_told_what_went_wrong(
    lanes: Lanes, source: Source, target: Path
) -> None:
    url = served(source, faults=[cut(MIB), status(404)])
    running = await Download.open(lanes, url, str(target))
    whole = asyncio.ensure_future(running.run())

    with pytest.raises(NotFound):
        await running.wait(len(FILM) - 1)

    with pytest.raises(NotFound):
        await whole
    await running.close()


async def test_without_restart_a_change_ends_it(lanes: Lanes, source: Source, target: Path) -> None:
    url = served(source, faults=[cut(MIB), after(lambda: replace(source, b"new"))])
    running = await Download.open(lanes, url, str(target), restart=False)

    with pytest.raises(SourceChanged):
        await running.run()
    await running.close()

    assert beside(target) == []


async def test_a_file_that_holds_the_beginning_is_adopted(
    lanes: Lanes, source: Source, target: Path
) -> None:
    url = served(source)
    target.write_bytes(FILM[: 2 * MIB])
    await asyncio.to_thread(adopt, str(target), url, Version('"v1"', len(FILM), DIGEST))
    running = await Download.open(lanes, url, str(target), ranges=Ranges(1, 8 * MIB))

    await running.run()
    await running.close()

    assert target.read_bytes() == FILM
    assert source.ranges == [f"bytes={2 * MIB}-{len(FILM) - 1}"]


async def test_an_interrupted_download_keeps_every_byte(
    lanes: Lanes, source: Source, target: Path
) -> None:
    url = served(source, faults=[stall(3 * MIB)])
    running = await Download.open(lanes, url, str(target))
    whole = asyncio.ensure_future(running.run())
    await running.wait(3 * MIB - 1)

    whole.cancel()
    await asyncio.gather(whole, return_exceptions=True)
    await running.close()

    state = json.loads(target.with_name("film.part.json").read_text())
    assert state["have"] == [[0, 3 * MIB]]
