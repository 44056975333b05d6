"""``/v1/pulls``: files of other servers, fetched in the background."""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from penstock.pulls import puller
from penstock.uploads import Uploads
from tests.faults import (
    Source,
    after,
    chunked,
    cut,
    faulty,
    ignore_range,
    redirect,
    reset,
    stall,
    status,
    throttle,
    with_headers,
)
from tests.pulls.pulling import PullJson, ask, begin, ended, hasten, look, pulled, standing
from tests.server.conftest import Api, StartApi
from tests.server.test_put import sha256_field

FILM = os.urandom(2_000_003)
V1, V2 = '"v1"', '"v2"'
STRANGER = "http://192.0.2.1/film"


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest.fixture
async def api(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A server that may fetch from this machine and gives a try up at once."""
    hasten(monkeypatch)
    return await start_api(remote_allow="127.0.0.1", remote_tries=1)


async def stored(api: Api, key: str = "film") -> bytes:
    return await api.get(f"/v1/files/{key}")


async def nothing_is_stored(api: Api, key: str = "film") -> bool:
    response, _ = await api.call("GET", f"/v1/files/{key}")
    return response.status == 404


async def uploads_left(api: Api, pull: PullJson, key: str = "film") -> int:
    """How many uploads of a pull are unfinished."""
    return len(await api.services.uploads.open_for(key, f"pull:{pull['id']}"))


async def test_a_file_is_pulled_and_stored_as_it_is(api: Api, source: Source) -> None:
    url = source.serve("/film.mkv", FILM, etag=V1, headers={"Content-Type": "video/x-matroska"})

    response, body = await api.call(
        "POST",
        "/v1/pulls",
        json.dumps({"url": url, "key": "films/one.mkv"}),
        Content_Type="application/json",
    )
    begun = json.loads(body)
    done = await ended(api, begun)

    assert response.status == 202
    assert response.headers["Location"] == f"/v1/pulls/{begun['id']}"
    assert (begun["state"], begun["received"], begun["file"]) == ("waiting", 0, None)
    assert (done["state"], done["received"], done["size"]) == ("done", len(FILM), len(FILM))
    assert done["file"]["sha256"] == hashlib.sha256(FILM).hexdigest()
    assert (done["replaced"], done["error"], done["attempts"]) == (False, None, 1)
    got, content = await api.call("GET", done["file"]["url"])
    assert (content, got.headers["Content-Type"]) == (FILM, "video/x-matroska")


async def test_the_type_may_be_given_and_headers_go_along(api: Api, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, headers={"Content-Type": "video/x-matroska"})

    done = await pulled(api, url, headers={"X-Key": "letmein"}, content_type="video/mp4")

    assert done["file"]["content_type"] == "video/mp4"
    assert {seen.headers["x-key"] for seen in source.requests} == {"letmein"}


@pytest.mark.parametrize("content", [b"", FILM])
async def test_a_size_that_nobody_tells_is_found_at_the_end(
    api: Api, source: Source, content: bytes
) -> None:
    url = source.serve("/film", content, always=replace(chunked(), ranges=False))

    done = await pulled(api, url)

    assert (done["state"], done["size"]) == ("done", len(content))
    assert await stored(api) == content


async def test_an_empty_file_is_pulled(api: Api, source: Source) -> None:
    assert (await pulled(api, source.serve("/film", b"", etag=V1)))["file"]["size"] == 0


async def test_a_broken_connection_is_gone_on_with(api: Api, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), reset(500_000)])

    done = await pulled(api, url)

    assert done["state"] == "done"
    assert await stored(api) == FILM
    first, *others = source.ranges
    assert first is None
    assert "bytes=1000000-" in others
    assert all(asked is not None for asked in others)


async def test_with_a_time_only_a_broken_connection_is_gone_on_with_too(
    api: Api, source: Source
) -> None:
    url = source.serve("/film", FILM, last_modified=1_700_000_000, faults=[cut(1_000_000)])

    await pulled(api, url)

    assert await stored(api) == FILM
    assert source.ranges == [None, "bytes=1000000-"]


async def test_a_time_of_this_very_second_does_not_tell_versions_apart(
    api: Api, source: Source
) -> None:
    moment = with_headers(Date="Tue, 14 Nov 2023 22:13:20 GMT")
    broken = replace(cut(1_000_000), headers=moment.headers)
    url = source.serve("/film", FILM, last_modified=1_700_000_000, faults=[broken], always=moment)

    await pulled(api, url)

    assert await stored(api) == FILM
    assert source.ranges == [None, None]


async def test_without_a_version_a_broken_pull_begins_anew(api: Api, source: Source) -> None:
    other = FILM[::-1]
    changed = after(lambda: swap(source, other, etag=None))
    url = source.serve("/film", FILM, faults=[cut(1_000_000), changed])

    done = await pulled(api, url)

    assert done["state"] == "done"
    assert await stored(api) == other
    assert source.ranges == [None, None]


def swap(source: Source, content: bytes, etag: str | None = V2) -> None:
    """Another version from now on."""
    source.files["/film"].content = content
    source.files["/film"].etag = etag


@pytest.mark.parametrize("size", [len(FILM), 1_500_000, 500_000])
async def test_a_source_that_changes_in_the_middle_is_never_mixed(
    api: Api, source: Source, size: int
) -> None:
    other = FILM[::-1][:size]
    changed = after(lambda: swap(source, other))
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), changed])

    done = await pulled(api, url)

    assert done["state"] == "done"
    assert await stored(api) == other


async def test_a_source_that_understands_no_conditions_is_never_mixed(
    api: Api, source: Source
) -> None:
    other = FILM[::-1]
    changed = replace(after(lambda: swap(source, other)), conditions=False)
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), changed])

    await pulled(api, url)

    assert await stored(api) == other


async def test_a_source_that_suddenly_sends_no_parts_is_asked_for_everything(
    api: Api, source: Source
) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), ignore_range()])

    done = await pulled(api, url)

    assert done["state"] == "done"
    assert await stored(api) == FILM


async def test_a_source_that_changes_all_the_time_is_given_up(
    api: Api, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(puller, "MOST_BEGINNINGS", 3)
    versions = iter(range(100))

    def change() -> None:
        source.files["/film"].etag = f'"{next(versions)}"'

    url = source.serve("/film", FILM, etag=V1, always=after(change))

    failed = await pulled(api, url)
    nothing = await nothing_is_stored(api)
    source.files["/film"].always = None
    await api.call("POST", f"/v1/pulls/{failed['id']}/retry")
    done = await ended(api, failed)

    assert (failed["state"], failed["error"]["code"]) == ("failed", "source-changed")
    assert (nothing, done["state"]) == (True, "done")


async def test_a_source_that_is_down_is_asked_again_as_it_wants(api: Api, source: Source) -> None:
    down = status(503, Retry_After="3")
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), down])
    pull = await begin(api, url)

    waiting = await standing(api, pull, lambda now: bool(now["next_try"]))
    done = await ended(api, pull)

    assert (waiting["state"], waiting["error"]["code"]) == ("waiting", "source-failed")
    assert done["state"] == "done"
    assert done["attempts"] == 2
    times = [datetime.fromisoformat(done[name]) for name in ("created", "ended")]
    assert (times[1] - times[0]).total_seconds() >= 3
    assert await stored(api) == FILM


@pytest.mark.parametrize("code", [401, 403, 404, 410])
async def test_a_source_that_refuses_is_not_asked_again(
    api: Api, source: Source, code: int
) -> None:
    refusal = status(code, b"secret")
    url = source.serve("/film", FILM, faults=[refusal] * 9, head_faults=[refusal] * 9)

    failed = await pulled(api, url)

    assert (failed["state"], failed["attempts"]) == ("failed", 1)
    assert failed["error"]["code"] == "source-failed"
    assert f"HTTP {code}" in failed["error"]["detail"]
    assert await nothing_is_stored(api)


async def test_a_failed_pull_goes_on_where_it_was(api: Api, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), status(403)])
    failed = await pulled(api, url)

    response, _ = await api.call("POST", f"/v1/pulls/{failed['id']}/retry")
    done = await ended(api, failed)

    assert failed["state"] == "failed"
    assert (response.status, done["state"], done["error"]) == (202, "done", None)
    assert await stored(api) == FILM
    assert source.ranges == [None, "bytes=1000000-", "bytes=1000000-"]


async def test_a_pull_that_is_done_or_under_way_cannot_be_retried(api: Api, source: Source) -> None:
    done = await pulled(api, source.serve("/done", b"x", etag=V1), "done")
    slow = await begin(api, source.serve("/slow", FILM, faults=[stall(1000)]), "slow")
    await standing(api, slow, lambda now: now["state"] == "running")

    for pull in (done, slow):
        response, body = await api.call("POST", f"/v1/pulls/{pull['id']}/retry")
        assert (response.status, json.loads(body)["code"]) == (409, "wrong-state")


LEADING_INSIDE: dict[str, Callable[[Source], str]] = {
    "a private address": lambda source: "http://10.1.2.3/film",
    "another port of this machine": lambda source: "http://127.0.0.2:22/film",
    "the metadata of a cloud": lambda source: "http://169.254.169.254/latest/meta-data/",
    "an address within another": lambda source: "http://[::ffff:10.1.2.3]/film",
    "a redirect": lambda source: source.serve(
        "/away", b"", always=redirect("http://127.0.0.2/film")
    ),
}


@pytest.mark.parametrize("leads", LEADING_INSIDE.values(), ids=LEADING_INSIDE)
async def test_what_leads_inside_is_refused(
    api: Api, source: Source, leads: Callable[[Source], str]
) -> None:
    refused = await pulled(api, leads(source))

    assert (refused["state"], refused["attempts"]) == ("failed", 1)
    assert refused["error"]["code"] == "remote-refused"
    assert await nothing_is_stored(api)


async def test_cancelling_removes_what_came(api: Api, source: Source) -> None:
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[stall(1_000_000)]))
    await standing(api, pull, lambda now: now["received"] >= 1_000_000)
    before = await uploads_left(api, pull)

    response, body = await api.call("DELETE", f"/v1/pulls/{pull['id']}")
    again, _ = await api.call("DELETE", f"/v1/pulls/{pull['id']}")

    assert (response.status, json.loads(body)["state"]) == (200, "cancelled")
    assert again.status == 200
    assert (before, await uploads_left(api, pull)) == (1, 0)
    assert await nothing_is_stored(api)
    await source.all_closed()


async def test_a_pull_that_waits_for_its_source_is_cancelled(api: Api, source: Source) -> None:
    down = [status(503, Retry_After="200")] * 3
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), *down]))
    await standing(api, pull, lambda now: bool(now["next_try"]))

    response, body = await api.call("DELETE", f"/v1/pulls/{pull['id']}")

    assert (response.status, json.loads(body)["state"]) == (200, "cancelled")
    assert await uploads_left(api, pull) == 0


async def test_a_cancelled_pull_can_be_tried_again(api: Api, source: Source) -> None:
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[stall(1_000_000)]))
    await standing(api, pull, lambda now: now["received"] >= 1_000_000)
    await api.call("DELETE", f"/v1/pulls/{pull['id']}")

    await api.call("POST", f"/v1/pulls/{pull['id']}/retry")
    done = await ended(api, pull)

    assert done["state"] == "done"
    assert await stored(api) == FILM
    assert source.ranges == [None, None]


async def test_of_a_failed_pull_nothing_is_left_when_it_is_cancelled(
    api: Api, source: Source
) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), status(403)])
    failed = await pulled(api, url)
    kept = await uploads_left(api, failed)

    response, body = await api.call("DELETE", f"/v1/pulls/{failed['id']}")

    assert (response.status, json.loads(body)["state"]) == (200, "failed")
    assert (kept, await uploads_left(api, failed)) == (1, 0)


async def test_a_pull_that_is_done_cannot_be_cancelled(api: Api, source: Source) -> None:
    done = await pulled(api, source.serve("/film", FILM, etag=V1))

    response, _ = await api.call("DELETE", f"/v1/pulls/{done['id']}")

    assert response.status == 409
    assert await stored(api) == FILM


async def test_the_same_request_is_the_same_pull_until_it_has_ended(
    api: Api, source: Source
) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[throttle(2_000_000)])
    pull = await begin(api, url)

    same = await begin(api, url)
    others = [await begin(api, url, "other"), await begin(api, url, content_type="video/mp4")]
    await ended(api, pull)
    anew = await begin(api, url)

    assert same["id"] == pull["id"]
    assert len({pull["id"], *(other["id"] for other in others), anew["id"]}) == 4
    for other in (*others, anew):
        await ended(api, other)


async def test_many_who_ask_at_once_make_one_pull(api: Api, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[throttle(4_000_000)])

    begun = await asyncio.gather(*(begin(api, url) for _ in range(20)))
    await ended(api, begun[0])

    assert len({pull["id"] for pull in begun}) == 1
    assert source.ranges == [None]


async def test_no_more_are_carried_out_at_once_than_the_operator_wants(
    start_api: StartApi, source: Source
) -> None:
    api = await start_api(remote_allow="127.0.0.1", pulls=2)
    pulls = []
    for number in range(6):
        url = source.serve(f"/{number}", FILM, etag=V1, faults=[throttle(4_000_000)])
        pulls.append(await begin(api, url, f"films/{number}"))

    for pull in pulls:
        assert (await ended(api, pull))["state"] == "done"
    assert source.most_open <= 4  # of each one that was asked about, and one that is kept


async def test_what_comes_is_held_against_the_digest_that_was_given(
    api: Api, source: Source
) -> None:
    url = source.serve("/film", FILM, etag=V1)

    good = await pulled(api, url, "good", sha256=hashlib.sha256(FILM).hexdigest().upper())
    bad = await pulled(api, url, "bad", sha256=hashlib.sha256(b"").hexdigest())

    assert good["state"] == "done"
    assert (bad["state"], bad["error"]["code"]) == ("failed", "digest-mismatch")
    assert await nothing_is_stored(api, "bad")
    assert await uploads_left(api, bad, "bad") == 0


async def test_a_source_that_is_known_to_have_other_bytes_is_not_read(
    api: Api, source: Source
) -> None:
    told = {"Repr-Digest": sha256_field(FILM)}
    url = source.serve("/film", FILM, etag=V1, headers=told)

    bad = await pulled(api, url, sha256=hashlib.sha256(b"").hexdigest())

    assert bad["error"]["code"] == "digest-mismatch"
    assert source.ranges == []


async def test_what_comes_is_held_against_the_digest_of_the_source(
    api: Api, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(puller, "MOST_BEGINNINGS", 2)
    told = {"Repr-Digest": sha256_field(FILM)}
    good = await pulled(api, source.serve("/good", FILM, etag=V1, headers=told), "good")
    bad = await pulled(api, source.serve("/bad", FILM[::-1], etag=V1, headers=told), "bad")

    assert good["state"] == "done"
    assert (bad["state"], bad["error"]["code"]) == ("failed", "source-changed")
    assert await nothing_is_stored(api, "bad")


async def test_a_file_is_replaced_unless_that_is_not_wanted(api: Api, source: Source) -> None:
    await api.put("film", b"old")
    url = source.serve("/film", FILM, etag=V1)

    refused, problem = await ask(api, {"url": url, "key": "film", "overwrite": False})
    done = await pulled(api, url)

    assert (refused, problem["code"]) == (412, "precondition-failed")
    assert done["replaced"] is True
    assert await stored(api) == FILM


async def test_a_file_that_appears_meanwhile_is_not_replaced(api: Api, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[throttle(2_000_000)])
    pull = await begin(api, url, overwrite=False)
    await standing(api, pull, lambda now: now["received"] > 0)

    await api.put("film", b"another")
    failed = await ended(api, pull)

    assert (failed["state"], failed["error"]["code"]) == ("failed", "precondition-failed")
    assert await stored(api) == b"another"


async def test_the_old_file_stays_until_the_new_one_is_whole(api: Api, source: Source) -> None:
    await api.put("film", b"old")
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[stall(1_000_000)]))
    await standing(api, pull, lambda now: now["received"] >= 1_000_000)

    assert await stored(api) == b"old"


@pytest.mark.parametrize("sized", [True, False])
async def test_what_is_over_the_limit_is_not_taken(
    start_api: StartApi, source: Source, sized: bool
) -> None:
    api = await start_api(remote_allow="127.0.0.1", max_body=1_000_000)
    endless = None if sized else replace(chunked(), ranges=False)
    failed = await pulled(api, source.serve("/film", FILM, etag=V1, always=endless))

    assert (failed["state"], failed["error"]["code"]) == ("failed", "too-large")
    assert await uploads_left(api, failed) == 0


async def test_nobody_else_gets_at_the_upload_of_a_pull(api: Api, source: Source) -> None:
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[stall(1_000_000)]))
    await standing(api, pull, lambda now: now["received"] >= 1_000_000)
    [upload] = await api.services.uploads.open_for("film", f"pull:{pull['id']}")

    listed = json.loads(await api.get("/v1/uploads?key=film"))
    response, _ = await api.call("DELETE", f"/v1/uploads/{upload.id}", Tus_Resumable="1.0.0")

    assert listed == {"uploads": []}
    assert response.status == 404


async def test_pulls_are_listed_newest_first_in_pages(api: Api, source: Source) -> None:
    url = source.serve("/film", b"x", etag=V1)
    made = [await pulled(api, url, f"film{number}") for number in range(5)]

    first = json.loads(await api.get("/v1/pulls?limit=3"))
    second = json.loads(await api.get(f"/v1/pulls?limit=3&after={first['next']}"))

    found = [pull["id"] for pull in first["pulls"] + second["pulls"]]
    assert found == [pull["id"] for pull in reversed(made)]
    assert second["next"] is None


@pytest.mark.parametrize(
    "wish",
    [
        [],
        {},
        {"url": "https://example.org/x"},
        {"key": "x"},
        {"url": "https://example.org/x", "key": "x", "method": "POST"},
        {"url": "ftp://example.org/x", "key": "x"},
        {"url": "file:///etc/passwd", "key": "x"},
        {"url": "https:///x", "key": "x"},
        {"url": 5, "key": "x"},
        {"url": "https://example.org/x", "key": "../x"},
        {"url": "https://example.org/x", "key": ""},
        {"url": "https://example.org/x", "key": "x", "headers": ["Host: x"]},
        {"url": "https://example.org/x", "key": "x", "headers": {"Host": "x"}},
        {"url": "https://example.org/x", "key": "x", "headers": {"X": "a\r\nB: c"}},
        {"url": "https://example.org/x", "key": "x", "headers": {"X": "\ud800"}},
        {"url": "https://example.org/x", "key": "x", "sha256": "abc"},
        {"url": "https://example.org/x", "key": "x", "content_type": "video"},
        {"url": "https://example.org/x", "key": "x", "overwrite": 1},
    ],
)
async def test_what_cannot_be_pulled_is_refused_at_once(api: Api, wish: Any) -> None:
    code, problem = await ask(api, wish)

    assert (code, problem["code"] in ("bad-request", "bad-key")) == (400, True)
    assert json.loads(await api.get("/v1/pulls"))["pulls"] == []


async def test_a_pull_is_no_place_to_keep_much_in(api: Api) -> None:
    wish = {"url": f"{STRANGER}?{'q' * 9_000}", "key": "x", "headers": {"X-Key": "k" * 9_000}}

    code, problem = await ask(api, wish)

    assert (code, problem["code"]) == (413, "too-large")


async def test_what_is_asked_for_while_it_is_being_cancelled_is_pulled_anew(
    api: Api, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.jobs.jobs.PATIENCE", 0.0)
    gate = asyncio.Event()
    discard = Uploads.discard

    async def slow(*arguments: Any) -> None:
        if source.requests:  # not before it begins
            await gate.wait()
        await discard(*arguments)

    monkeypatch.setattr(Uploads, "discard", slow)
    url = source.serve("/film", FILM, etag=V1, faults=[stall(1_000_000)])
    pull = await begin(api, url)
    await standing(api, pull, lambda now: now["received"] >= 1_000_000)
    response, _ = await api.call("DELETE", f"/v1/pulls/{pull['id']}")

    anew = await begin(api, url)
    gate.set()

    assert (response.status, anew["id"] == pull["id"], anew["cancelling"]) == (202, False, False)
    assert (await ended(api, anew))["state"] == "done"
    assert (await ended(api, pull))["state"] == "cancelled"
    assert await stored(api) == FILM


async def test_only_json_is_read(api: Api) -> None:
    wish = json.dumps({"url": STRANGER, "key": "x"})
    response, _ = await api.call("POST", "/v1/pulls", wish, Content_Type="text/plain")
    nonsense, _ = await api.call("POST", "/v1/pulls", "{", Content_Type="application/json")

    assert (response.status, nonsense.status) == (415, 400)


async def test_a_page_of_another_site_cannot_begin_a_pull(api: Api) -> None:
    wish = json.dumps({"url": STRANGER, "key": "x"})
    response, _ = await api.call(
        "POST", "/v1/pulls", wish, Content_Type="application/json", Origin="https://evil.example"
    )

    assert response.status == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/pulls/nothing"),
        ("GET", "/v1/pulls/nothing/events"),
        ("HEAD", "/v1/pulls/nothing/events"),
        ("DELETE", "/v1/pulls/nothing"),
        ("POST", "/v1/pulls/nothing/retry"),
    ],
)
async def test_a_pull_that_nobody_knows_is_not_found(api: Api, method: str, path: str) -> None:
    response, _ = await api.call(method, path)

    assert response.status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/v1/pulls/%00",
        "/v1/pulls/%00/events",
        "/v1/pulls?after=%00",
        "/v1/uploads/%00",
        "/v1/zips/%00",
    ],
)
async def test_what_can_be_no_id_is_told_from_what_fails(
    start_api: StartApi, postgres: str, path: str
) -> None:
    """PostgreSQL takes no NUL."""
    api = await start_api(catalog=postgres)

    response, _ = await api.call("GET", path)

    assert response.status == (400 if "after" in path else 404)


async def test_a_job_that_is_no_pull_is_not_found(api: Api) -> None:
    job, _ = await api.services.jobs.enqueue("tidy", {}, lane="nobody's")

    response, _ = await api.call("GET", f"/v1/pulls/{job.id}")

    assert response.status == 404


async def test_a_server_that_closes_leaves_its_pulls_to_the_next(
    start_api: StartApi, source: Source
) -> None:
    first = await start_api(remote_allow="127.0.0.1")
    pull = await begin(first, source.serve("/film", FILM, etag=V1, faults=[stall(1_000_000)]))
    await standing(first, pull, lambda now: now["received"] >= 1_000_000)

    await first.services.worker.close()
    waiting = await look(first, pull)
    second = await start_api(remote_allow="127.0.0.1")
    done = await ended(second, pull)

    assert (waiting["state"], done["state"]) == ("waiting", "done")
    assert source.ranges == [None, "bytes=1000000-"]
    assert await stored(second) == FILM
