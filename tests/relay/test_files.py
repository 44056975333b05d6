"""``/v1/files/{key}`` of a relay: fetched once, kept, and known to be the upstream's."""

import asyncio
import hashlib
import os
import random
from base64 import b64encode

import aiohttp
import pytest

from tests.eventually import eventually
from tests.faults import Source, cut, faulty, redirect, stall, status, throttle, with_headers
from tests.relay.conftest import Caller, StartRelay

MIB = 1 << 20
SIZE = 3 * MIB + 17
FILM = random.Random(5).randbytes(SIZE)
KEY = "/v1/files/films/film.mkv"


@pytest.fixture
async def relay(source: Source, start_relay: StartRelay) -> Caller:
    """A relay before an upstream that has the film."""
    source.serve(KEY, FILM, etag='"v1"', headers={"Content-Type": "video/x-matroska"})
    return await start_relay(source.url)


def heads(source: Source) -> int:
    return sum(seen.method == "HEAD" for seen in source.requests)


async def test_a_file_comes_through(relay: Caller) -> None:
    response, body = await relay.call(KEY)

    assert (response.status, body) == (200, FILM)
    assert response.headers["Content-Length"] == str(len(FILM))
    assert response.headers["ETag"] == '"v1"'
    assert response.headers["Content-Type"] == "video/x-matroska"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Cache-Status"] == "penstock-relay; fwd=miss; stored"


async def test_a_kept_file_is_fetched_once_and_asked_about_each_time(
    relay: Caller, source: Source
) -> None:
    for _ in range(3):
        assert await relay.get(KEY) == FILM

    assert source.sent == len(FILM)
    assert heads(source) == 3


async def test_within_the_max_age_nobody_asks(source: Source, start_relay: StartRelay) -> None:
    relay = await start_relay(source.url, max_age=3600)
    source.serve(KEY, FILM, etag='"v1"')
    await relay.get(KEY)
    assert await eventually(lambda: bool(kept(relay)))
    before = len(source.requests)

    response, body = await relay.call(KEY)

    assert body == FILM
    assert len(source.requests) == before
    assert response.headers["Cache-Status"] == "penstock-relay; hit"
    assert 0 <= int(response.headers["Age"]) < 100


async def test_a_caller_may_want_it_asked_about_all_the_same(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url, max_age=3600)
    source.serve(KEY, FILM, etag='"v1"')
    await relay.get(KEY)
    source.serve(KEY, b"new", etag='"v2"')

    assert await relay.get(KEY) == FILM
    assert await relay.get(KEY, Cache_Control="no-cache") == b"new"


async def test_a_file_that_changed_is_fetched_again(relay: Caller, source: Source) -> None:
    await relay.get(KEY)
    source.serve(KEY, b"another film", etag='"v2"')

    response, body = await relay.call(KEY)

    assert body == b"another film"
    assert response.headers["ETag"] == '"v2"'


async def test_a_file_that_is_gone_is_forgotten(relay: Caller, source: Source) -> None:
    await relay.get(KEY)
    del source.files[KEY]

    response, body = await relay.call(KEY)

    assert response.status == 404
    assert response.content_type == "application/problem+json"
    assert source.url.encode() not in body
    assert await eventually(lambda: not kept(relay))


async def test_a_hundred_callers_at_once_cause_one_fetch(relay: Caller, source: Source) -> None:
    bodies = await asyncio.gather(*(relay.get(KEY) for _ in range(100)))

    assert set(bodies) == {FILM}
    assert source.sent == len(FILM)
    assert heads(source) <= 2


async def test_a_hundred_callers_of_a_kept_file_cause_one_question(
    relay: Caller, source: Source
) -> None:
    await relay.get(KEY)
    before = heads(source)

    bodies = await asyncio.gather(*(relay.get(KEY) for _ in range(100)))

    assert set(bodies) == {FILM}
    assert heads(source) - before <= 5


async def test_one_wave_of_callers_after_the_other_causes_no_other_fetch(
    relay: Caller, source: Source
) -> None:
    for _ in range(5):
        bodies = await asyncio.gather(*(relay.get(KEY, Range="bytes=0-99") for _ in range(60)))
        assert set(bodies) == {FILM[:100]}

    assert await eventually(lambda: bool(kept(relay)))
    assert source.sent == len(FILM)


async def test_callers_are_sent_what_has_come_while_the_rest_comes(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    source.serve(KEY, FILM, etag='"v1"', always=throttle(MIB))

    async with relay.session.get(KEY) as response:
        first = await response.content.readexactly(1000)
        come_until_then = source.sent
        rest = await response.read()

    assert first + rest == FILM
    assert come_until_then < len(FILM)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-99", 0, 100), ("bytes=-50", SIZE - 50, SIZE), ("bytes=2000000-", 2_000_000, SIZE)],
)
async def test_a_range_is_cut_out_of_what_comes_and_of_what_is_kept(
    relay: Caller, source: Source, asked: str, start: int, stop: int
) -> None:
    for _ in range(2):
        response, body = await relay.call(KEY, Range=asked)

        assert response.status == 206
        assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(FILM)}"
        assert body == FILM[start:stop]
        assert await eventually(lambda: source.sent >= len(FILM) and bool(kept(relay)))
    assert source.sent == len(FILM)


async def test_conditions_are_answered_by_the_relay(relay: Caller, source: Source) -> None:
    await relay.get(KEY)

    known, _ = await relay.call(KEY, If_None_Match='"v1"')
    other, _ = await relay.call(KEY, If_Match='"v2"')
    whole, body = await relay.call(KEY, Range="bytes=0-9", If_Range='"v0"')

    assert (known.status, other.status, whole.status, len(body)) == (304, 412, 200, len(FILM))
    assert source.sent == len(FILM)


async def test_a_head_fetches_nothing(relay: Caller, source: Source) -> None:
    response, body = await relay.call(KEY, "HEAD")

    assert (response.status, body, source.sent) == (200, b"", 0)
    assert response.headers["Content-Length"] == str(len(FILM))
    assert response.headers["ETag"] == '"v1"'


async def test_a_caller_who_leaves_does_not_end_the_fetch(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    source.serve(KEY, FILM, etag='"v1"', always=throttle(4 * MIB))

    async def leave_soon() -> None:
        async with relay.session.get(KEY) as response:
            await response.content.readexactly(1000)
            response.close()

    await asyncio.gather(*(leave_soon() for _ in range(3)))

    assert await relay.get(KEY) == FILM
    assert source.sent == len(FILM)


async def test_when_all_leave_the_file_is_there_for_the_next(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url, max_age=60)
    source.serve(KEY, FILM, etag='"v1"', always=throttle(4 * MIB))
    async with relay.session.get(KEY) as response:
        await response.content.readexactly(1000)
        response.close()
    assert await eventually(lambda: bool(kept(relay)), seconds=20)

    response, body = await relay.call(KEY)

    assert body == FILM
    assert response.headers["Cache-Status"] == "penstock-relay; hit"


async def test_an_upstream_that_breaks_in_the_middle_is_gone_on_with(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    source.serve(KEY, FILM, etag='"v1"', faults=[cut(MIB), status(503), cut(MIB // 2)])

    bodies = await asyncio.gather(*(relay.get(KEY) for _ in range(5)))

    assert set(bodies) == {FILM}
    assert source.sent < 1.5 * len(FILM)


async def test_an_upstream_that_stays_away_cuts_the_callers_and_the_next_goes_on(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url, tries=2, parallel=1)
    source.serve(KEY, FILM, etag='"v1"', faults=[cut(2 * MIB), *[status(503)] * 2])

    with pytest.raises(aiohttp.ClientPayloadError):
        await relay.get(KEY)
    whole = await relay.get(KEY)

    assert whole == FILM
    assert source.sent < len(FILM) + MIB


async def test_callers_are_cut_when_the_file_changes_under_the_fetch(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url, parallel=1)
    new = os.urandom(len(FILM))
    source.serve(KEY, FILM, etag='"v1"', faults=[cut(MIB)])

    async with relay.session.get(KEY) as response:
        await response.content.readexactly(1000)
        source.serve(KEY, new, etag='"v2"')
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()

    assert await relay.get(KEY) == new


async def test_what_is_kept_is_sent_when_the_upstream_is_away(
    relay: Caller, source: Source
) -> None:
    await relay.get(KEY)
    source.files[KEY].head_faults = [status(500)] * 9

    response, body = await relay.call(KEY)

    assert (response.status, body) == (200, FILM)
    assert response.headers["Cache-Status"] == "penstock-relay; hit; detail=unreachable"
    assert "Age" in response.headers


async def test_but_not_if_the_upstream_forbids_it(source: Source, start_relay: StartRelay) -> None:
    relay = await start_relay(source.url)
    source.serve(KEY, FILM, etag='"v1"', headers={"Cache-Control": "must-revalidate"})
    await relay.get(KEY)
    source.files[KEY].head_faults = [status(500)] * 9

    response, _ = await relay.call(KEY)

    assert response.status == 503
    assert response.headers["Retry-After"]


async def test_without_an_upstream_it_is_said_and_not_where_it_is(
    start_relay: StartRelay, source: Source
) -> None:
    relay = await start_relay("http://127.0.0.1:9")

    response, body = await relay.call(KEY)

    assert response.status == 503
    assert b"127.0.0.1:9" not in body


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refusal_of_the_upstream_is_passed_on(
    relay: Caller, source: Source, code: int
) -> None:
    await relay.get(KEY)
    source.files[KEY].head_faults = [status(code)]

    response, _ = await relay.call(KEY)

    assert response.status == 403


@pytest.mark.parametrize("control", ["no-store", "private"])
async def test_what_must_not_be_stored_is_passed_through(
    source: Source, start_relay: StartRelay, control: str
) -> None:
    relay = await start_relay(source.url)
    source.serve(KEY, FILM, etag='"v1"', headers={"Cache-Control": control})

    response, body = await relay.call(KEY, Range="bytes=5-9")
    whole = await relay.get(KEY)

    assert (response.status, body, whole) == (206, FILM[5:10], FILM)
    assert response.headers["Cache-Control"] == control
    assert not kept(relay)


async def test_what_has_become_private_is_kept_no_longer(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url, max_age=3600)
    source.serve(KEY, FILM, etag='"v1"')
    await relay.get(KEY)
    assert await eventually(lambda: bool(kept(relay)))
    source.serve(KEY, FILM, etag='"v1"', headers={"Cache-Control": "no-store, private"})

    asked, _ = await relay.call(KEY, Cache_Control="no-cache")
    later, body = await relay.call(KEY)

    assert body == FILM
    bypass = "penstock-relay; fwd=bypass"
    assert [one.headers["Cache-Status"] for one in (asked, later)] == [bypass] * 2
    assert not kept(relay)


async def test_what_becomes_private_while_it_comes_is_not_kept(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url, max_age=3600)
    source.serve(KEY, FILM, etag='"v1"', always=throttle(4 * MIB))
    async with relay.session.get(KEY) as response:
        await response.content.readexactly(1000)
        source.files[KEY].headers["Cache-Control"] = "no-store"
        asked, _ = await relay.call(KEY, "HEAD", Cache_Control="no-cache")
        meanwhile, _ = await relay.call(KEY)
        await response.read()

    later, _ = await relay.call(KEY)

    assert asked.headers["Cache-Control"] == "no-store"
    bypass = "penstock-relay; fwd=bypass"
    assert [one.headers["Cache-Status"] for one in (meanwhile, later)] == [bypass] * 2
    assert await eventually(lambda: not kept(relay))


async def test_what_may_be_kept_again_while_it_comes_is_kept(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    source.serve(KEY, FILM, etag='"v1"', always=throttle(4 * MIB))
    async with relay.session.get(KEY) as response:
        await response.content.readexactly(1000)
        source.files[KEY].headers["Cache-Control"] = "no-store"
        await relay.call(KEY, "HEAD")
        del source.files[KEY].headers["Cache-Control"]
        body = await relay.get(KEY)
        await response.read()

    assert body == FILM
    assert await eventually(lambda: bool(kept(relay)))
    assert source.sent == len(FILM)


async def test_all_lines_of_cache_control_count(source: Source, start_relay: StartRelay) -> None:
    relay = await start_relay(source.url, max_age=3600)
    lines = {"Cache-Control": "max-age=60", "cache-control": "no-store, private"}
    source.serve(KEY, FILM, etag='"v1"', headers=lines)

    response, body = await relay.call(KEY)

    assert body == FILM
    assert response.headers["Cache-Control"] == "max-age=60, no-store, private"
    assert response.headers["Cache-Status"] == "penstock-relay; fwd=bypass"
    assert not kept(relay)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_the_upstream_chooses_by_is_sent_to_it(
    source: Source, start_relay: StartRelay, method: str
) -> None:
    relay = await start_relay(source.url, max_age=3600)
    source.serve(KEY, FILM, etag='"v1"', headers={"Vary": "Accept-Encoding, Accept-Language"})
    first, _ = await relay.call(KEY)
    assert await eventually(lambda: bool(kept(relay)))

    german, _ = await relay.call(KEY, method, Accept_Language="de")
    asked = source.requests[-1]
    again, _ = await relay.call(KEY)

    assert first.headers["Vary"] == "Accept-Encoding, Accept-Language"
    assert german.headers["Cache-Status"] == "penstock-relay; fwd=vary-miss"
    assert (asked.method, asked.headers["accept-language"]) == (method, "de")
    assert again.headers["Cache-Status"] == "penstock-relay; hit"


async def test_an_upstream_whose_head_is_not_that_of_its_get_is_passed_through(
    relay: Caller, source: Source
) -> None:
    now = {"Date": "Sat, 21 Nov 2026 12:00:00 GMT"}
    without = [with_headers(ETag="")] * 9
    source.serve(
        KEY, FILM, etag='"v1"', last_modified=1_700_000_000, headers=now, head_faults=without
    )

    response, body = await relay.call(KEY)

    assert body == FILM
    assert response.headers["Cache-Status"] == "penstock-relay; fwd=bypass"
    assert heads(source) == 2


async def test_too_many_fetches_are_not_begun(
    source: Source, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.relay.cache._MOST", 1)
    relay = await start_relay(source.url)
    source.serve(KEY, FILM, etag='"v1"', faults=[stall(MIB)])
    source.serve("/v1/files/other", b"other", etag='"o"')

    async with relay.session.get(KEY) as response:
        await response.content.readexactly(1000)
        refused, _ = await relay.call("/v1/files/other")

    assert refused.status == 503
    assert refused.headers["Retry-After"] == "5"


async def test_a_file_without_a_validator_is_passed_through(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    source.serve(KEY, FILM)

    assert await relay.get(KEY) == FILM
    assert not kept(relay)


async def test_a_time_that_is_long_past_is_a_validator(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    now = {"Date": "Sat, 21 Nov 2026 12:00:00 GMT"}
    source.serve(KEY, FILM, last_modified=1_700_000_000, headers=now)

    for _ in range(2):
        response, body = await relay.call(KEY)
        assert body == FILM
        assert response.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
        assert await eventually(lambda: bool(kept(relay)))
    known, _ = await relay.call(KEY, If_Modified_Since="Tue, 14 Nov 2023 22:13:20 GMT")

    assert known.status == 304
    assert source.sent == len(FILM)


async def test_a_body_that_breaks_while_it_is_passed_through_does_not_look_whole(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    source.serve(KEY, FILM, faults=[cut(MIB)])

    with pytest.raises(aiohttp.ClientPayloadError):
        await relay.get(KEY)


async def test_the_digest_is_told_once_it_is_known(relay: Caller) -> None:
    await relay.get(KEY)
    digest = b64encode(hashlib.sha256(FILM).digest()).decode()

    async def told() -> str | None:
        response, _ = await relay.call(KEY, "HEAD")
        return response.headers.get("Repr-Digest")

    assert await eventually(lambda: bool(kept(relay)))
    assert await told() == f"sha-256=:{digest}:"


async def test_bytes_that_are_not_those_of_the_digest_are_neither_kept_nor_taken_for_whole(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    wrong = {"Repr-Digest": f"sha-256=:{b64encode(bytes(32)).decode()}:"}
    source.serve(KEY, FILM, etag='"v1"', headers=wrong)

    with pytest.raises(aiohttp.ClientPayloadError):
        await relay.get(KEY)

    assert not kept(relay)


async def test_a_download_may_be_wished_to_be_saved(relay: Caller) -> None:
    response, _ = await relay.call(f"{KEY}?download=1")

    assert response.headers["Content-Disposition"] == 'attachment; filename="film.mkv"'


async def test_too_many_callers_are_told_to_come_again(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url, max_transfers=1)
    source.serve(KEY, FILM, etag='"v1"', always=throttle(MIB))

    async with relay.session.get(KEY) as response:
        await response.content.readexactly(1000)
        second, _ = await relay.call(KEY)
        response.close()

    assert second.status == 503
    assert second.headers["Retry-After"] == "1"


async def test_credentials_go_to_the_upstream_and_no_further(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url, headers={"Authorization": "Bearer secret"})
    source.serve(KEY, FILM, etag='"v1"')

    response, _ = await relay.call(KEY, Authorization="Bearer mine", Cookie="mine=1")

    assert {seen.headers.get("authorization") for seen in source.requests} == {"Bearer secret"}
    assert not any("cookie" in seen.headers for seen in source.requests)
    assert "secret" not in str(response.headers)


async def test_credentials_are_not_taken_to_where_the_upstream_sends_one(
    source: Source, start_relay: StartRelay
) -> None:
    async with faulty() as elsewhere:
        elsewhere.serve("/film", FILM, etag='"v1"')
        source.serve(KEY, b"", head_faults=[redirect(f"{elsewhere.url}/film")] * 2)
        relay = await start_relay(source.url, headers={"X-Secret": "mine"})

        response, _ = await relay.call(KEY)

        assert response.status >= 400
        assert not elsewhere.requests


async def test_an_empty_file_is_a_file(relay: Caller, source: Source) -> None:
    source.serve("/v1/files/empty", b"", etag='"e"')

    for _ in range(2):
        response, body = await relay.call("/v1/files/empty")
        assert (response.status, body) == (200, b"")


@pytest.mark.parametrize("key", ["../up", "a//b", "%2Fetc%2Fpasswd", ".penstock/x", "a%00"])
async def test_a_key_that_can_name_no_file_is_refused(
    relay: Caller, source: Source, key: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(f"GET /v1/files/{key} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
    assert not source.requests


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
async def test_nothing_can_be_changed_through_it(relay: Caller, method: str) -> None:
    response, _ = await relay.call(KEY, method)

    assert response.status == 405


def kept(relay: Caller) -> list[str]:
    """The whole files of its cache, when nothing is on its way there any more."""
    if relay.relay.cache._fetches:  # one that is written down may still be sent as it comes
        return []
    names = [name for _, _, names in os.walk(relay.folder / ".penstock/cache") for name in names]
    return [name for name in names if "." not in name and f"{name}.json" in names]
