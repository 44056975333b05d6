"""Multipart uploads that nobody ended, because their process died."""

import json

import pytest
from pydantic import ValidationError

from penstock.settings import Settings
from penstock.stores.s3.multipart import Multipart
from penstock.stores.s3.orphans import Orphans
from penstock.stores.s3.store import S3Store
from tests.s3.files import MIB, content, keys, put
from tests.s3.fixtures import OpenS3, quick
from tests.s3.front import NOTE, front_of
from tests.s3.servers import S3Server
from tests.s3.uploads import calls_to, make_object, names_in, uploads_in


async def left_behind(store: S3Store, prefix: str) -> None:
    """What a process leaves that is killed in the middle of an upload."""
    await Multipart.begin(store.shared, f"{prefix}/a", {})


async def test_uploads_of_the_dead_are_aborted(
    open_s3: OpenS3, s3_server: S3Server, prefix: str
) -> None:
    store = await open_s3(orphan_age=-5.0)
    await left_behind(store, prefix)
    assert await uploads_in(s3_server, prefix) == [f"{prefix}/a"]

    assert await store.sweep() == 1

    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, prefix) == []


async def test_uploads_of_the_living_are_left_alone(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    await left_behind(store, prefix)

    assert await store.sweep() == 0

    assert await uploads_in(s3_server, prefix) == [f"{prefix}/a"]


async def test_uploads_of_other_programs_are_left_alone(
    open_s3: OpenS3, s3_server: S3Server, prefix: str
) -> None:
    store = await open_s3(orphan_age=-5.0)
    async with calls_to(s3_server) as calls:
        await calls.create(f"{prefix}/theirs", {})

    assert await store.sweep() == 0

    assert await uploads_in(s3_server, prefix) == [f"{prefix}/theirs"]


async def test_a_file_that_was_stored_leaves_no_note(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    await put(store, "a", content(9 * MIB))

    assert await names_in(s3_server, prefix) == [f"{prefix}/a"]


async def test_what_is_no_note_does_not_stop_the_sweeper(
    open_s3: OpenS3, s3_server: S3Server, prefix: str
) -> None:
    store = await open_s3(orphan_age=-5.0)
    async with calls_to(s3_server) as calls:
        await calls.put(f"{prefix}/.penstock/multipart/0", {}, b"?", 1)
    await left_behind(store, prefix)

    assert await store.sweep() == 2

    assert await names_in(s3_server, prefix) == []


async def test_a_note_of_something_outside_the_prefix_is_not_believed(
    open_s3: OpenS3, s3_server: S3Server, prefix: str
) -> None:
    store = await open_s3(orphan_age=-5.0)
    outside = f"{prefix}-outside/theirs"
    async with calls_to(s3_server) as calls:
        upload = await calls.create(outside, {})
        text = json.dumps({"object": outside, "upload": upload}).encode()
        await calls.put(f"{prefix}/.penstock/multipart/0", {}, text, len(text))

        await store.sweep()

        assert await uploads_in(s3_server, outside) == [outside]
        await calls.abort(outside, upload)


@quick
async def test_temporary_objects_that_no_note_speaks_of_are_removed(
    open_s3: OpenS3, s3_server: S3Server, prefix: str
) -> None:
    store = await open_s3(orphan_age=-5.0)
    await make_object(s3_server, f"{prefix}/.penstock/compose/token/0-9")
    await make_object(s3_server, f"{prefix}/a")

    assert await store.sweep() == 0

    assert await names_in(s3_server, prefix) == [f"{prefix}/a"]


@quick
async def test_temporary_objects_of_the_living_are_left_alone(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    await make_object(s3_server, f"{prefix}/.penstock/compose/token/0-9")

    await store.sweep()

    assert len(await names_in(s3_server, prefix)) == 1


def test_uploads_are_never_taken_for_orphans_within_the_hour() -> None:
    with pytest.raises(ValidationError, match="s3_orphan_age"):
        Settings(s3_orphan_age=60.0)


async def test_a_note_is_renewed_while_bytes_come(
    open_s3: OpenS3, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Orphans, "renewal", 0.0)
    async with front_of(s3_server) as front:
        store = await open_s3(to=front.url, part_size=5 * MIB)

        async with await store.write("a", size=16 * MIB) as writer:
            await writer.write(content(6 * MIB))
            before = front.count(NOTE)
            await writer.write(b"x")
            assert front.count(NOTE) == before + 1
            await writer.commit()

        assert await keys(store) == ["a"]
        await put(store, "b", content(16 * MIB))
        assert front.count(NOTE) >= before + 6
