"""Bytes of other servers: whole, by range, over connections that break."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.errors import SourceChanged, SourceFailed
from penstock.remote import Remote, RemoteLimits
from tests.faults import (
    Fault,
    Source,
    chunked,
    cut,
    faulty,
    garble,
    ignore_range,
    lie,
    mute,
    reset,
    stall,
    status,
    throttle,
    until_close,
    with_headers,
)
from tests.remote.conftest import SIZE
from tests.remote.gathering import everything, fetched

V1 = '"v1"'
MODIFIED = 1_700_000_000


async def test_a_file_comes_whole_in_pieces(remote: Remote, source: Source, film: bytes) -> None:
    file = await remote.probe(source.serve("/film", film, etag=V1))

    pieces = [piece async for piece in remote.read(file)]

    assert b"".join(pieces) == film
    assert max(map(len, pieces)) <= 256 << 10
    assert source.ranges == [None]


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 1), (0, SIZE), (1, None), (500_000, 700_000), (SIZE - 1, SIZE)]
)
async def test_a_part_is_asked_for_by_range(
    remote: Remote, source: Source, film: bytes, start: int, stop: int | None
) -> None:
    file = await remote.probe(source.serve("/film", film, etag=V1))

    assert await everything(remote, file, start, stop) == film[start:stop]


async def test_an_empty_part_asks_for_nothing(remote: Remote, source: Source) -> None:
    file = await remote.probe(source.serve("/film", b"abc", etag=V1))
    asked = len(source.requests)

    assert await everything(remote, file, 2, 2) == b""
    assert len(source.requests) == asked


BREAKS = [cut(300_000), reset(300_000), cut(0), reset(0), status(503), status(500), status(429)]


@pytest.mark.parametrize("fault", BREAKS, ids=str)
async def test_what_breaks_is_gone_on_with(
    remote: Remote, source: Source, film: bytes, fault: Fault
) -> None:
    url = source.serve("/film", film, etag=V1, faults=[fault, cut(100_000), fault])

    assert await fetched(remote, url) == film


async def test_the_rest_is_asked_for_of_the_same_version(
    remote: Remote, source: Source, film: bytes
) -> None:
    await fetched(remote, source.serve("/film", film, etag=V1, faults=[cut(300_000)]))

    resumed = source.requests[-1].headers
    assert resumed["range"] == "bytes=300000-"
    assert resumed["if-match"] == V1


async def test_a_time_will_do_where_there_is_no_strong_tag(
    remote: Remote, source: Source, film: bytes
) -> None:
    url = source.serve("/film", film, etag='W/"v1"', last_modified=MODIFIED, faults=[cut(300_000)])

    assert await fetched(remote, url) == film
    assert "if-match" not in source.requests[-1].headers
    assert source.requests[-1].headers["if-unmodified-since"] == "Tue, 14 Nov 2023 22:13:20 GMT"


async def test_a_part_that_breaks_is_gone_on_with_to_its_own_end(
    remote: Remote, source: Source, film: bytes
) -> None:
    file = await remote.probe(source.serve("/film", film, etag=V1, faults=[cut(50_000)]))

    assert await everything(remote, file, 100_000, 400_000) == film[100_000:400_000]
    assert source.ranges == ["bytes=100000-399999", "bytes=150000-399999"]


async def test_a_stalled_connection_is_left_for_another(
    limits: RemoteLimits, source: Source, film: bytes
) -> None:
    impatient = Remote(replace(limits, stall_timeout=0.2))
    url = source.serve("/film", film, etag=V1, faults=[stall(300_000)])

    assert await fetched(impatient, url) == film
    await impatient.close()
    await source.all_closed()


async def test_a_server_that_does_not_answer_is_asked_again(
    limits: RemoteLimits, source: Source, film: bytes
) -> None:
    impatient = Remote(replace(limits, connect_timeout=0.2, answer_timeout=0.2))
    url = source.serve("/film", film, etag=V1, faults=[mute()])

    assert await fetched(impatient, url) == film
    await impatient.close()


async def test_a_slow_server_is_not_a_stalled_one(
    limits: RemoteLimits, source: Source, film: bytes
) -> None:
    impatient = Remote(replace(limits, stall_timeout=0.6))
    url = source.serve("/film", film[:24_000], etag=V1, faults=[throttle(20_000)])

    assert await fetched(impatient, url) == film[:24_000]
    assert source.ranges == [None]
    await impatient.close()


async def test_a_server_that_brings_nothing_is_given_up(
    remote: Remote, source: Source, film: bytes
) -> None:
    url = source.serve("/film", film, etag=V1, faults=[cut(300_000), *[cut(0)] * 20])

    with pytest.raises(SourceFailed, match="cut short"):
        await fetched(remote, url)
    assert len(source.ranges) == 1 + 4


async def test_a_server_that_brings_a_little_each_time_is_not_given_up(
    remote: Remote, source: Source, film: bytes
) -> None:
    url = source.serve("/film", film, etag=V1, faults=[cut(50_000)] * 15)

    assert await fetched(remote, url) == film


async def test_a_pause_that_is_asked_for_is_made_up_to_a_cap(
    limits: RemoteLimits, source: Source, film: bytes
) -> None:
    patient = Remote(replace(limits, longest_asked_pause=0.5))
    url = source.serve("/film", film, etag=V1, faults=[status(503, Retry_After="3600")])
    file = await patient.probe(url)

    before = asyncio.get_running_loop().time()
    await everything(patient, file)

    assert 0.5 <= asyncio.get_running_loop().time() - before < 60
    await patient.close()


@pytest.mark.parametrize("code", [401, 403, 404, 410, 501])
async def test_an_error_that_stays_is_told_at_once(
    remote: Remote, source: Source, film: bytes, code: int
) -> None:
    file = await remote.probe(source.serve("/film", film, etag=V1, faults=[status(code)]))

    with pytest.raises(SourceFailed) as failed:
        await everything(remote, file)
    assert failed.value.extra["reason"] == f"HTTP {code}"
    assert len(source.ranges) == 1


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
async def test_without_a_version_a_break_is_final(
    remote: Remote, source: Source, film: bytes, etag: str | None
) -> None:
    url = source.serve("/film", film, etag=etag, faults=[cut(300_000)])

    with pytest.raises(SourceFailed, match="cannot be resumed"):
        await fetched(remote, url)


async def test_without_ranges_a_break_is_final(remote: Remote, source: Source, film: bytes) -> None:
    broken = replace(cut(300_000), ranges=False)
    url = source.serve(
        "/film", film, etag=V1, faults=[ignore_range(), broken], head_faults=[ignore_range()]
    )

    with pytest.raises(SourceFailed, match="cannot be resumed"):
        await fetched(remote, url)


async def test_without_a_version_a_break_before_the_first_byte_is_mended(
    remote: Remote, source: Source, film: bytes
) -> None:
    assert await fetched(remote, source.serve("/film", film, faults=[cut(0), reset(0)])) == film


async def test_a_range_that_is_suddenly_ignored_is_not_taken_for_the_rest(
    remote: Remote, source: Source, film: bytes
) -> None:
    url = source.serve("/film", film, etag=V1, faults=[cut(300_000), ignore_range()])

    with pytest.raises(SourceFailed, match="does not send parts"):
        await fetched(remote, url)


async def test_the_beginning_may_come_from_a_server_without_ranges(
    remote: Remote, source: Source, film: bytes
) -> None:
    file = await remote.probe(source.serve("/film", film, always=ignore_range()))

    assert await everything(remote, file, 0, 200_000) == film[:200_000]
    await source.all_closed()


@pytest.mark.parametrize("told", ["0-899999", "100002-200000", "100003-200001", "x-y"])
async def test_another_part_than_was_asked_for_is_refused(
    remote: Remote, source: Source, film: bytes, told: str
) -> None:
    wrong = with_headers(Content_Range=f"bytes {told}/{SIZE}")
    file = await remote.probe(source.serve("/film", film, etag=V1, faults=[wrong]))

    with pytest.raises(SourceFailed, match="another part"):
        await everything(remote, file, 100_003, 200_001)


async def test_fewer_bytes_than_asked_for_are_followed_by_the_rest(
    remote: Remote, source: Source, film: bytes
) -> None:
    async with faulty() as stingy:
        stingy.serve("/film", film, etag=V1)
        short = Fault(
            answer=(206, film[100:200]),
            headers={"Content-Range": f"bytes 100-199/{SIZE}", "ETag": V1},
        )
        file = await remote.probe(stingy.url + "/film")
        stingy.files["/film"].faults = [short]

        assert await everything(remote, file, 100) == film[100:]
        assert stingy.ranges == ["bytes=100-", "bytes=200-"]


async def test_chunks_without_a_length_are_read_to_their_end(
    remote: Remote, source: Source, film: bytes
) -> None:
    file = await remote.probe(source.serve("/film", film, etag=V1, always=chunked()))

    assert (file.size, await everything(remote, file)) == (SIZE, film)


async def test_a_size_that_nobody_tells_is_found_at_the_end(
    remote: Remote, source: Source, film: bytes
) -> None:
    endless = replace(chunked(), ranges=False)
    file = await remote.probe(source.serve("/film", film, always=endless))

    assert file.size is None
    assert await everything(remote, file) == film


async def test_chunks_that_break_are_gone_on_with(
    remote: Remote, source: Source, film: bytes
) -> None:
    url = source.serve("/film", film, etag=V1, faults=[cut(300_000, framing="chunked")])

    assert await fetched(remote, url) == film


async def test_chunks_that_are_no_chunks_are_a_break(
    limits: RemoteLimits, source: Source, film: bytes
) -> None:
    impatient = Remote(replace(limits, stall_timeout=0.5))
    url = source.serve("/film", film, etag=V1, faults=[garble(300_000)])

    assert await fetched(impatient, url) == film
    await impatient.close()


async def test_a_body_that_only_closing_ends_is_refused(
    remote: Remote, source: Source, film: bytes
) -> None:
    endless = replace(until_close(), ranges=False)
    file = await remote.probe(source.serve("/film", film, always=endless))

    with pytest.raises(SourceFailed, match="does not say where it ends"):
        await everything(remote, file)


async def test_a_body_that_closing_ends_is_counted_where_the_size_is_known(
    remote: Remote, source: Source, film: bytes
) -> None:
    broken = cut(300_000, framing="close")
    url = source.serve("/film", film, etag=V1, faults=[broken, until_close()])

    assert await fetched(remote, url) == film


@pytest.mark.parametrize("coding", ["gzip", "br", "x-unheard-of"])
async def test_bytes_that_come_encoded_are_refused(
    remote: Remote, source: Source, film: bytes, coding: str
) -> None:
    url = source.serve("/film", film, etag=V1, faults=[with_headers(Content_Encoding=coding)])

    with pytest.raises(SourceFailed, match=f"encoded \\({coding}\\)"):
        await fetched(remote, url)
    assert source.requests[-1].headers["accept-encoding"] == "identity"


async def test_a_length_that_is_too_long_shows_as_a_break(
    remote: Remote, source: Source, film: bytes
) -> None:
    file = remote.taken_as(source.serve("/film", film, faults=[lie(SIZE + 5)]), {}, SIZE + 5)

    with pytest.raises(SourceFailed, match="cannot be resumed"):
        await everything(remote, file)


async def test_a_file_nobody_asked_about_is_read_by_the_size_the_caller_told(
    remote: Remote, source: Source, film: bytes
) -> None:
    file = remote.taken_as(
        source.serve("/film", film, etag=V1, faults=[cut(300_000)]), {}, len(film)
    )

    assert await everything(remote, file) == film
    assert [seen.method for seen in source.requests] == ["GET", "GET"]


async def test_a_wrong_size_that_the_caller_told_is_found_out(
    remote: Remote, source: Source, film: bytes
) -> None:
    file = remote.taken_as(source.serve("/film", film), {}, len(film) + 1)

    with pytest.raises(SourceChanged):
        await everything(remote, file)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    breaks=st.lists(st.tuples(st.booleans(), st.integers(0, 200_000)), max_size=5),
    start=st.integers(0, 200_000),
    length=st.none() | st.integers(0, 200_000),
)
async def test_however_it_breaks_the_bytes_are_those_of_the_file(
    limits: RemoteLimits,
    film: bytes,
    breaks: list[tuple[bool, int]],
    start: int,
    length: int | None,
) -> None:
    content = film[:200_000]
    stop = None if length is None else min(start + length, len(content))
    faults = [reset(at) if hard else cut(at) for hard, at in breaks]
    steady = Remote(replace(limits, tries=7))
    async with faulty() as source:
        file = await steady.probe(source.serve("/f", content, etag=V1, faults=faults))

        assert await everything(steady, file, start, stop) == content[start:stop]
        await steady.close()
        await source.all_closed()
