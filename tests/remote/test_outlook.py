"""What a failure leaves open: may it pass, and can what came be gone on with."""

from dataclasses import replace

import pytest

from penstock.errors import SourceChanged, SourceFailed
from penstock.remote import Remote, RemoteLimits
from tests.faults import Fault, Source, cut, ignore_range, status, with_headers
from tests.remote.gathering import everything, fetched
from tests.server.test_put import sha256_field

V1 = '"v1"'
MOMENT = 1_700_000_000
THAT_SECOND = with_headers(Date="Tue, 14 Nov 2023 22:13:20 GMT")
A_SECOND_LATER = with_headers(Date="Tue, 14 Nov 2023 22:13:21 GMT")


async def failure(remote: Remote, url: str) -> SourceFailed:
    with pytest.raises(SourceFailed) as failed:
        await fetched(remote, url)
    return failed.value


@pytest.mark.parametrize("code", [401, 404, 410, 501])
async def test_a_refusal_does_not_pass(
    remote: Remote, source: Source, film: bytes, code: int
) -> None:
    error = await failure(remote, source.serve("/film", film, etag=V1, always=status(code)))

    assert (error.passing, error.resumable) == (False, True)


async def test_trouble_may_pass_and_what_came_can_be_gone_on_with(
    limits: RemoteLimits, source: Source, film: bytes
) -> None:
    hasty = Remote(replace(limits, tries=1))
    file = await hasty.probe(source.serve("/film", film, etag=V1))
    source.files["/film"].faults = [status(503, Retry_After="7")]

    with pytest.raises(SourceFailed) as failed:
        await everything(hasty, file, 1000)

    error = failed.value
    assert (error.passing, error.resumable, error.pause) == (True, True, 7.0)
    await hasty.close()


async def test_without_a_version_what_came_cannot_be_gone_on_with(
    remote: Remote, source: Source, film: bytes
) -> None:
    error = await failure(remote, source.serve("/film", film, faults=[cut(300_000)]))

    assert (error.passing, error.resumable) == (True, False)


async def test_a_source_without_parts_does_not_change_by_waiting(
    remote: Remote, source: Source, film: bytes
) -> None:
    url = source.serve("/film", film, etag=V1, faults=[cut(300_000), ignore_range()])

    error = await failure(remote, url)

    assert (error.passing, error.resumable) == (False, False)


@pytest.mark.parametrize(
    ("date", "resumable"), [(THAT_SECOND, False), (A_SECOND_LATER, True), (Fault(), True)]
)
async def test_a_time_tells_versions_apart_when_its_second_is_over(
    remote: Remote, source: Source, film: bytes, date: Fault, resumable: bool
) -> None:
    file = await remote.probe(source.serve("/film", film, last_modified=MOMENT, always=date))

    assert (file.modified, file.resumable) == (MOMENT, resumable)
    assert (file.version is not None) == resumable


async def test_the_digest_of_a_file_is_part_of_its_version(
    remote: Remote, source: Source, film: bytes
) -> None:
    url = source.serve("/film", film, etag=V1, headers={"Repr-Digest": sha256_field(film)})
    file = await remote.probe(url)
    source.files["/film"].headers["Repr-Digest"] = sha256_field(b"another")

    with pytest.raises(SourceChanged):
        await everything(remote, file)


@pytest.mark.parametrize("told", ["sha-512=:AAAA:", "sha-256=:AAAA:", "nonsense", ""])
async def test_a_digest_that_makes_no_sense_is_none(
    remote: Remote, source: Source, film: bytes, told: str
) -> None:
    url = source.serve("/film", film, etag=V1, headers={"Repr-Digest": told})

    assert (await remote.probe(url)).sha256 is None
    assert await fetched(remote, url) == film
