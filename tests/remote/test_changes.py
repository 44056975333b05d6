"""Whatever a server does, bytes of two versions are never mixed."""

from dataclasses import replace

import pytest

from penstock.errors import SourceChanged
from penstock.remote import Remote
from tests.faults import Fault, Source, after, chunked, cut, ignore_conditions, status
from tests.remote.conftest import SIZE
from tests.remote.gathering import everything, fetched

V1, V2 = '"v1"', '"v2"'
MODIFIED = 1_700_000_000


@pytest.mark.parametrize("manner", [Fault(), ignore_conditions()], ids=["minds", "ignores"])
async def test_another_tag_is_another_file(
    remote: Remote, source: Source, film: bytes, manner: Fault
) -> None:
    file = await remote.probe(source.serve("/film", film, etag=V1))
    source.serve("/film", film[::-1], etag=V2, always=manner)

    with pytest.raises(SourceChanged):
        await everything(remote, file)


@pytest.mark.parametrize("manner", [Fault(), ignore_conditions()], ids=["minds", "ignores"])
async def test_another_time_is_another_file(
    remote: Remote, source: Source, film: bytes, manner: Fault
) -> None:
    file = await remote.probe(source.serve("/film", film, last_modified=MODIFIED))
    source.serve("/film", film[::-1], last_modified=MODIFIED + 1, always=manner)

    with pytest.raises(SourceChanged):
        await everything(remote, file)


async def test_another_size_is_another_file(remote: Remote, source: Source, film: bytes) -> None:
    file = await remote.probe(source.serve("/film", film))
    source.serve("/film", film + b"more")

    with pytest.raises(SourceChanged):
        await everything(remote, file)


@pytest.mark.parametrize("manner", [Fault(), ignore_conditions()], ids=["minds", "ignores"])
async def test_a_change_between_two_connections_is_found(
    remote: Remote, source: Source, film: bytes, manner: Fault
) -> None:
    def change() -> None:
        source.serve("/film", film[::-1], etag=V2)

    changing = replace(manner, before=change)
    url = source.serve("/film", film, etag=V1, faults=[cut(300_000), changing])

    with pytest.raises(SourceChanged):
        await fetched(remote, url)


async def test_a_change_is_found_where_only_the_first_answer_told_the_version(
    remote: Remote, source: Source, film: bytes
) -> None:
    def change() -> None:
        source.serve("/film", film[::-1], etag=V2)

    manner = replace(ignore_conditions(), before=change)
    url = source.serve("/film", film, etag=V1, faults=[cut(300_000), manner])

    with pytest.raises(SourceChanged):
        await everything(remote, remote.taken_as(url, {}, SIZE))


async def test_a_version_that_brought_nothing_binds_nobody(
    remote: Remote, source: Source, film: bytes
) -> None:
    def change() -> None:
        source.serve("/film", film[::-1], etag=V2)

    url = source.serve("/film", film, etag=V1, faults=[cut(0), after(change)])

    assert await everything(remote, remote.taken_as(url, {}, SIZE)) == film[::-1]


@pytest.mark.parametrize("code", [412, 416])
async def test_a_refused_condition_or_range_is_a_change(
    remote: Remote, source: Source, film: bytes, code: int
) -> None:
    url = source.serve("/film", film, etag=V1, faults=[cut(300_000), status(code)])

    with pytest.raises(SourceChanged):
        await fetched(remote, url)


@pytest.mark.parametrize("length", [SIZE - 1, SIZE + 1])
async def test_chunks_that_end_too_early_or_too_late_are_a_change(
    remote: Remote, source: Source, film: bytes, length: int
) -> None:
    file = await remote.probe(source.serve("/film", film, etag=V1))
    source.serve("/film", (film + b"!")[:length], etag=V1, always=chunked())

    with pytest.raises(SourceChanged, match=r"shorter|longer"):
        await everything(remote, file)
    assert source.ranges == [None]


async def test_a_total_that_changes_is_a_change(
    remote: Remote, source: Source, film: bytes
) -> None:
    file = await remote.probe(source.serve("/film", film, etag=V1))
    source.serve("/film", film + b"!", etag=V1)

    with pytest.raises(SourceChanged):
        await everything(remote, file, 100, 200)
