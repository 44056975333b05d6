"""No connection outlives its use, and there are never more than the limit."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from penstock.errors import SourceFailed
from penstock.remote import Remote, RemoteLimits
from tests.faults import Fault, Source, cut, faulty, mute, stall
from tests.remote.gathering import everything, fetched

V1 = '"v1"'
BIG = bytes(48 << 20)


async def test_a_closed_read_leaves_no_connection(remote: Remote, source: Source) -> None:
    file = await remote.probe(source.serve("/big", BIG, etag=V1))

    async with aclosing(remote.read(file)) as pieces:
        await anext(pieces)

    await source.all_closed()


async def test_a_read_that_is_never_begun_opens_nothing(remote: Remote, source: Source) -> None:
    file = remote.taken_as(source.serve("/big", BIG), {}, len(BIG))

    await remote.read(file).aclose()

    assert source.accepted == 0


@pytest.mark.parametrize("fault", [None, stall(300_000), stall(0), mute()], ids=str)
async def test_a_cancelled_read_leaves_no_connection(
    remote: Remote, source: Source, fault: Fault | None
) -> None:
    url = source.serve("/big", BIG, etag=V1, faults=[fault])
    file = remote.taken_as(url, {}, len(BIG))
    reading = asyncio.ensure_future(_slowly(remote, file.url))
    await source.until(lambda: len(source.requests) == 1)

    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    await source.all_closed()


async def test_a_cancelled_pause_leaves_no_connection(remote: Remote, source: Source) -> None:
    patient = Remote(RemoteLimits(allow="127.0.0.1", first_pause=3600, longest_pause=3600))
    url = source.serve("/big", BIG, etag=V1, faults=[cut(1000)])
    reading = asyncio.ensure_future(everything(patient, patient.taken_as(url, {}, len(BIG))))
    await source.until(lambda: source.accepted == 1)
    await source.all_closed()

    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert (source.open, source.accepted) == (0, 1)
    await patient.close()


async def test_a_slow_reader_slows_the_server_down(remote: Remote, source: Source) -> None:
    file = await remote.probe(source.serve("/big", BIG, etag=V1))

    async with aclosing(remote.read(file)) as pieces:
        await anext(pieces)
        held = await _standstill(source)

    # What is on its way is in the kernel's two socket buffers; little of it is with us.
    assert held < len(BIG) // 2


async def test_a_connection_is_used_again(remote: Remote, source: Source, film: bytes) -> None:
    for number in range(5):
        assert await fetched(remote, source.serve(f"/{number}", film, etag=V1)) == film

    assert source.accepted == 1


async def test_there_are_never_more_connections_than_the_limit(
    remote: Remote, source: Source, film: bytes
) -> None:
    urls = [source.serve(f"/{number}", film, etag=V1) for number in range(20)]

    films = await asyncio.gather(*(fetched(remote, url) for url in urls))

    assert films == [film] * 20
    assert source.most_open <= 4


async def test_kept_connections_count_and_make_way_for_other_servers(
    limits: RemoteLimits, film: bytes
) -> None:
    remote = Remote(replace(limits, connections=2))
    async with faulty() as one, faulty() as two, faulty() as three:
        for source in (one, two, three):
            await fetched(remote, source.serve("/film", film, etag=V1))

        await one.all_closed()
        assert (two.open, three.open) == (1, 1)
        await remote.close()
        await two.all_closed()
        await three.all_closed()


async def test_who_finds_no_free_connection_does_not_wait_for_ever(
    limits: RemoteLimits, source: Source
) -> None:
    crowded = Remote(replace(limits, connections=1, answer_timeout=0.2, tries=2))
    url = source.serve("/big", BIG, etag=V1)
    file = await crowded.probe(url)
    async with aclosing(crowded.read(file)) as pieces:
        await anext(pieces)

        with pytest.raises(SourceFailed, match="too much else"):
            await crowded.probe(url)

    assert (await crowded.probe(url)).size == len(BIG)
    await crowded.close()


async def test_closing_everything_ends_what_is_under_way(
    limits: RemoteLimits, source: Source
) -> None:
    remote = Remote(replace(limits, tries=1))
    file = await remote.probe(source.serve("/big", BIG, etag=V1))
    async with aclosing(remote.read(file)) as pieces:
        await anext(pieces)

        await remote.close()

        await source.all_closed()


async def test_nothing_is_opened_after_closing(limits: RemoteLimits, source: Source) -> None:
    remote = Remote(limits)
    await remote.close()

    with pytest.raises(SourceFailed, match="shutting down"):
        await remote.probe(source.serve("/a", b"abc"))
    assert source.accepted == 0


async def _slowly(remote: Remote, url: str) -> None:
    """A reader whose own work takes longer than the test."""
    async with aclosing(remote.read(remote.taken_as(url, {}, len(BIG)))) as pieces:
        async for _ in pieces:
            await asyncio.sleep(0.01)


async def _standstill(source: Source) -> int:
    """What was sent when the server could send no more for a while."""
    sent = -1
    while sent != source.sent:
        sent = source.sent
        await asyncio.sleep(0.3)
    return sent
