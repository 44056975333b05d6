"""Downloads from servers that do little, do it wrong, or lie.

Whatever they do, the target is the whole file of one version, or nothing and an error that says
why.
"""

import asyncio
import base64
import gzip
import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.client import Client
from penstock.errors import (
    DigestMismatch,
    NotFound,
    PenstockError,
    ServerUnavailable,
)
from tests.client.downloading import (
    FILM,
    KIB,
    NOBODY,
    OTHER,
    beside,
    client,
    plain,
    small_sizes,
    target,
)
from tests.client.proxy import listening
from tests.faults import (
    Fault,
    Source,
    after,
    chunked,
    cut,
    faulty,
    ignore_conditions,
    ignore_range,
    mute,
    redirect,
    reset,
    stall,
    status,
    until_close,
    with_headers,
)

__all__ = ["client", "plain", "small_sizes", "target"]

DATED = 1_750_000_000
"""When a file was last modified: seconds of the epoch."""


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


def digest_field(content: bytes) -> str:
    """The value of a ``Repr-Digest`` or ``Content-Digest`` (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


# What tells one version from another


async def test_weak_etags_do_not_keep_a_file_from_coming(
    client: Client, source: Source, target: Path
) -> None:
    await client.download(source.serve("/film", FILM, etag='W/"v1"'), target)

    assert target.read_bytes() == FILM


VALIDATORS = {
    "weak etag": {"etag": 'W/"v1"'},
    "date": {"last_modified": DATED},
    "nothing": {},
}


@pytest.mark.parametrize("validator", VALIDATORS)
@pytest.mark.parametrize(
    "fault", [cut(200 * KIB), reset(300 * KIB), chunked()], ids=["cut", "reset", "chunked"]
)
async def test_a_version_that_cannot_be_told_from_the_next_is_not_mixed(
    client: Client, source: Source, target: Path, validator: str, fault: Fault
) -> None:
    """After the first answer the file is another one, with the same validator and length."""

    def change() -> None:
        source.serve("/film", OTHER, **VALIDATORS[validator])  # type: ignore[arg-type]

    url = source.serve(
        *("/film", FILM),
        **VALIDATORS[validator],  # type: ignore[arg-type]
        faults=[fault, after(change)],
        head_faults=[after(change)] if fault.end else (),
    )

    await client.download(url, target)

    assert target.read_bytes() in (FILM, OTHER)


async def test_a_broken_download_goes_on_by_its_date(
    plain: Client, source: Source, target: Path
) -> None:
    """A date is a strong validator if the answer is much younger (RFC 9110 §8.8.2.2)."""
    headers = {"Date": "Sat, 21 Nov 2026 12:00:00 GMT"}
    url = source.serve("/film", FILM, last_modified=DATED, headers=headers, faults=[cut(400 * KIB)])

    await plain.download(url, target)

    assert target.read_bytes() == FILM
    assert source.sent < len(FILM) + 200 * KIB


@pytest.mark.parametrize("conditions", [True, False], ids=["If-Range", "no If-Range"])
async def test_a_file_that_changes_on_the_way_starts_again(
    client: Client, source: Source, target: Path, conditions: bool
) -> None:
    fault = None if conditions else ignore_conditions()

    def change() -> None:
        source.serve("/film", OTHER[:-1], etag='"v2"', always=fault)

    url = source.serve(
        "/film", FILM, etag='"v1"', faults=[cut(200 * KIB), after(change)], always=fault
    )

    await client.download(url, target)

    assert target.read_bytes() in (FILM, OTHER[:-1])
    assert beside(target) == ["film"]


# Ranges that are not


async def test_a_server_that_ignores_ranges(client: Client, source: Source, target: Path) -> None:
    url = source.serve("/film", FILM, etag='"v1"', always=ignore_range())

    await client.download(url, target)

    assert target.read_bytes() == FILM


async def test_a_server_that_stops_to_know_ranges_on_the_way(
    client: Client, source: Source, target: Path
) -> None:
    faults = [cut(250 * KIB), *[ignore_range()] * 30]
    url = source.serve("/film", FILM, etag='"v1"', faults=faults)

    await client.download(url, target)

    assert target.read_bytes() == FILM


LIES = {
    "another start": {"Content-Range": "bytes 1-614416/614417"},
    "another size": {"Content-Range": f"bytes 0-{len(FILM) - 1}/{len(FILM) + 5}"},
    "nonsense": {"Content-Range": "some bytes"},
    "no range": {"Content-Range": ""},
    "another unit": {"Content-Range": f"pages 0-{len(FILM) - 1}/{len(FILM)}"},
    "backwards": {"Content-Range": f"bytes {len(FILM)}-3/{len(FILM)}"},
    "beyond the end": {"Content-Range": f"bytes 0-{len(FILM)}/{len(FILM)}"},
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_wrong_content_range_is_not_believed(
    client: Client, source: Source, target: Path, lie: str
) -> None:
    """Of what is said of the ranges nothing is true; whole the file may come."""
    url = source.serve(
        "/film", FILM, etag='"v1"', always=replace(with_headers(), headers=LIES[lie])
    )

    assert await outcome(client, url, target) in (FILM, PenstockError)


async def outcome(client: Client, url: str, target: Path) -> bytes | type[PenstockError]:
    """The bytes that came, or that they were refused; then nothing whole may be there."""
    try:
        async with asyncio.timeout(60):
            await client.download(url, target)
    except PenstockError:
        assert not target.exists()
        return PenstockError
    return target.read_bytes()


async def test_other_bytes_than_the_range_says_are_found_by_the_digest(
    client: Client, source: Source, target: Path
) -> None:
    """The server sends the beginning for every range."""
    headers = {"Repr-Digest": digest_field(FILM), "Content-Length": str(len(FILM))}
    shifted = replace(with_headers(), headers=headers)
    url = source.serve("/film", FILM, etag='"v1"', always=replace(shifted, ranges=False))

    assert await outcome(client, url, target) in (FILM, PenstockError)


async def test_an_empty_file(client: Client, source: Source, target: Path) -> None:
    """Of nothing no range can be satisfied (RFC 9110 §14.1.2)."""
    await client.download(source.serve("/film", b"", etag='"v1"'), target)

    assert target.read_bytes() == b""


# Lengths


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
async def test_a_file_of_unknown_length_comes_in_chunks(
    plain: Client, source: Source, target: Path, ranges: bool
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', always=replace(chunked(), ranges=ranges))

    await plain.download(url, target)

    assert target.read_bytes() == FILM


async def test_a_file_of_unknown_length_comes_whole_whatever_the_range_size(
    source: Source, target: Path
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', always=chunked())

    async with Client(NOBODY, range_size=64 * KIB) as exact:
        await exact.download(url, target)

    assert target.read_bytes() == FILM


async def test_chunks_that_break_off_are_not_a_file(
    client: Client, source: Source, target: Path
) -> None:
    always = replace(cut(300 * KIB, framing="chunked"), ranges=False)
    url = source.serve("/film", FILM, etag='"v1"', always=always)

    assert await outcome(client, url, target) is PenstockError


async def test_a_body_that_ends_with_its_connection_may_be_cut_short_and_is_refused(
    client: Client, source: Source, target: Path
) -> None:
    always = replace(until_close(), ranges=False, end="cut", after=300 * KIB)
    url = source.serve("/film", FILM, etag='"v1"', always=always)

    assert await outcome(client, url, target) is PenstockError


async def test_a_transfer_coding_that_does_not_tell_the_end_is_refused(
    client: Client, source: Source, target: Path
) -> None:
    headers = {"Transfer-Encoding": "identity"}
    always = Fault(ranges=False, end="cut", after=300 * KIB, framing="close", headers=headers)
    url = source.serve("/film", FILM, etag='"v1"', always=always)

    assert await outcome(client, url, target) is PenstockError


@pytest.mark.parametrize("more", [-1000, 1000])
async def test_a_length_that_is_not_that_of_the_body(
    client: Client, source: Source, target: Path, more: int
) -> None:
    always = Fault(length=len(FILM) + more, ranges=False)
    url = source.serve("/film", FILM, always=always)

    found = await outcome(client, url, target)

    assert found in (PenstockError, FILM[: len(FILM) + more])
    assert found is PenstockError or more < 0


# Codings


async def test_gzip_that_nobody_asked_for_is_refused(
    client: Client, source: Source, target: Path
) -> None:
    packed = gzip.compress(FILM)
    url = source.serve("/film", packed, etag='"v1"', headers={"Content-Encoding": "gzip"})

    with pytest.raises(PenstockError, match="encoded"):
        await client.download(url, target)

    assert beside(target) == []


async def test_identity_is_no_coding(client: Client, source: Source, target: Path) -> None:
    url = source.serve("/film", FILM, etag='"v1"', headers={"Content-Encoding": "identity"})

    await client.download(url, target)

    assert target.read_bytes() == FILM


# Redirects


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(
    client: Client, source: Source, target: Path, code: int
) -> None:
    source.serve("/elsewhere", FILM, etag='"v1"')
    moved = redirect("/elsewhere", code)

    await client.download(source.serve("/film", b"", always=moved), target)

    assert target.read_bytes() == FILM


async def test_a_redirect_in_a_circle_is_an_error(
    plain: Client, source: Source, target: Path
) -> None:
    source.serve("/b", b"", always=redirect("/a"))

    with pytest.raises(PenstockError, match="redirect"):
        await plain.download(source.serve("/a", b"", always=redirect("/b")), target)

    assert beside(target) == []


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/film", "http://[::1", ""])
async def test_a_redirect_to_what_is_no_web_address_is_an_error(
    plain: Client, source: Source, target: Path, to: str
) -> None:
    with pytest.raises(PenstockError):
        await plain.download(source.serve("/film", b"", always=redirect(to)), target)

    assert beside(target) == []


async def test_secrets_for_one_server_do_not_go_to_another(
    plain: Client, source: Source, target: Path
) -> None:
    async with faulty() as other:
        away = redirect(other.serve("/film", FILM, etag='"v1"'))
        url = source.serve("/film", b"", always=away)
        secrets = {"Authorization": "Bearer secret", "Cookie": "session=secret"}

        await plain.download(url, target, headers=secrets)

    assert {request.headers.get("authorization") for request in source.requests} == {
        "Bearer secret"
    }
    for request in other.requests:
        assert "secret" not in str(request.headers)


async def test_headers_of_the_caller_are_sent_with_every_request(
    client: Client, source: Source, target: Path
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', faults=[cut(100 * KIB)])

    await client.download(url, target, headers={"X-Token": "t"})

    assert {request.headers.get("x-token") for request in source.requests} == {"t"}


# Digests


async def test_a_digest_that_is_told_is_held_against_the_file(
    client: Client, source: Source, target: Path
) -> None:
    headers = {"Repr-Digest": digest_field(FILM)}

    info = await client.download(source.serve("/film", FILM, headers=headers), target)

    assert target.read_bytes() == FILM
    assert info.sha256 == hashlib.sha256(FILM).hexdigest()


async def test_a_file_that_is_not_what_its_digest_says_is_not_kept(
    client: Client, source: Source, target: Path
) -> None:
    headers = {"Repr-Digest": digest_field(OTHER)}

    with pytest.raises(DigestMismatch):
        await client.download(source.serve("/film", FILM, headers=headers), target)

    assert beside(target) == []


async def test_a_file_that_is_not_what_the_caller_knows_is_not_kept(
    client: Client, source: Source, target: Path
) -> None:
    wanted = hashlib.sha256(OTHER).hexdigest()

    with pytest.raises(DigestMismatch):
        await client.download(source.serve("/film", FILM, etag='"v1"'), target, sha256=wanted)

    assert beside(target) == []


async def test_a_part_that_is_not_what_its_digest_says_is_fetched_again(
    client: Client, source: Source, target: Path
) -> None:
    """RFC 9530 §2: the digest is that of the content of this very answer."""
    wrong = with_headers(Content_Digest=digest_field(b"something else"))
    url = source.serve("/film", FILM, etag='"v1"', faults=[wrong])

    await client.download(url, target)

    assert target.read_bytes() == FILM
    assert len(source.ranges) > 1


# Troubles that pass, and some that do not


TROUBLES = {
    "500": status(500),
    "502": status(502),
    "503": status(503, Retry_After="0"),
    "429": status(429, Retry_After="0"),
    "reset at once": reset(0),
    "cut at once": cut(0),
    "reset": reset(50 * KIB),
    "cut": cut(50 * KIB),
    "cut at the end": cut(len(FILM) - 1),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_passing_trouble(
    client: Client, source: Source, target: Path, trouble: str
) -> None:
    fault = TROUBLES[trouble]
    url = source.serve("/film", FILM, etag='"v1"', faults=[fault, None, fault])

    await client.download(url, target)

    assert target.read_bytes() == FILM
    assert beside(target) == ["film"]


async def test_a_server_that_falls_silent_is_asked_again(source: Source, target: Path) -> None:
    faults = [stall(100 * KIB), mute(), mute()]
    url = source.serve("/film", FILM, etag='"v1"', faults=faults)

    async with Client(NOBODY, timeout=0.5) as impatient:
        await impatient.download(url, target)

    assert target.read_bytes() == FILM


async def test_a_pause_that_the_server_asks_for_is_kept(
    plain: Client, source: Source, target: Path
) -> None:
    asked = asyncio.get_running_loop().time
    times: list[float] = []
    busy = replace(status(503, Retry_After="1"), before=lambda: times.append(asked()))
    url = source.serve(
        "/film", FILM, etag='"v1"', faults=[busy, after(lambda: times.append(asked()))]
    )

    await plain.download(url, target)

    assert times[1] - times[0] >= 1


@pytest.mark.parametrize(("code", "kind"), [(404, NotFound), (401, PenstockError)])
async def test_a_refusal_is_final_and_told(
    client: Client, source: Source, target: Path, code: int, kind: type[PenstockError]
) -> None:
    url = source.serve("/film", FILM, always=status(code), head_faults=[status(code)])

    with pytest.raises(kind, match=str(code)):
        await client.download(url, target)

    assert len(source.requests) == 1
    assert beside(target) == []


ANSWERS = {
    "not HTTP": b"220 mail.example ESMTP\r\n",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000,
    "a head without end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nwhatever",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 8\r\n\r\nwhatever",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nwhatever",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n"
    b"\r\n5\r\nwhate\r\n",
    "a chunk of negative size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nabc",
    "no answer": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "a status that is none": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nhi",
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_what_is_not_http_is_an_error(plain: Client, target: Path, answer: str) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWERS[answer])
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async with listening(odd) as url:
        assert await outcome(plain, f"{url}/film", target) is PenstockError

    assert not target.exists()


async def test_an_interim_answer_is_passed_over(plain: Client, target: Path) -> None:
    async def hinting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    async with listening(hinting) as url:
        await plain.download(f"{url}/film", target)

    assert target.read_bytes() == b"hi"


async def test_a_server_that_is_not_there(plain: Client, target: Path) -> None:
    with pytest.raises(ServerUnavailable, match="cannot reach"):
        await plain.download(f"{NOBODY}/film", target)

    assert beside(target) == []


@pytest.mark.parametrize("url", ["film", "ftp://example.org/film", "http:///film", "file:///x"])
async def test_what_is_no_web_address(plain: Client, target: Path, url: str) -> None:
    with pytest.raises((PenstockError, ValueError)):
        await plain.download(url, target)

    assert os.listdir(target.parent) == []
