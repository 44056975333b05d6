"""tus 1.0, checksum: each body is held against its digest; what does not match is dropped."""

import hashlib
import zlib
from collections.abc import AsyncIterator

import google_crc32c
import pytest

from tests.server.conftest import Api
from tests.server.tus_speaking import (
    DATA,
    arrived,
    begin,
    checksum,
    code_of,
    half_sent,
    head,
    let_go,
    offset_of,
    patch,
    patch_head,
    sha1,
    stored,
)

DIGESTS = {
    "sha1": hashlib.sha1(DATA).digest(),
    "sha256": hashlib.sha256(DATA).digest(),
    "sha512": hashlib.sha512(DATA).digest(),
    "md5": hashlib.md5(DATA).digest(),
    "crc32": zlib.crc32(DATA).to_bytes(4, "big"),
    "crc32c": google_crc32c.value(DATA).to_bytes(4, "big"),
}


@pytest.mark.parametrize("algorithm", DIGESTS)
async def test_a_body_that_matches_is_kept(api: Api, algorithm: str) -> None:
    url = await begin(api, len(DATA))

    response = await patch(
        api, url, 0, DATA, Upload_Checksum=checksum(algorithm, DIGESTS[algorithm])
    )

    assert response.status == 204
    assert await stored(api) == DATA


@pytest.mark.parametrize("algorithm", DIGESTS)
async def test_a_body_that_does_not_match_is_dropped(api: Api, algorithm: str) -> None:
    url = await begin(api, len(DATA))
    digest = bytes([DIGESTS[algorithm][0] ^ 1]) + DIGESTS[algorithm][1:]

    response = await patch(api, url, 0, DATA, Upload_Checksum=checksum(algorithm, digest))

    assert response.status == 460
    assert response.reason == "Checksum Mismatch"
    assert await code_of(response) == "checksum-mismatch"
    assert await offset_of(api, url) == 0
    assert await stored(api) is None


async def test_the_example_of_the_protocol(api: Api) -> None:
    url = await begin(api, 11)

    response = await patch(
        api, url, 0, b"hello world", Upload_Checksum="sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="
    )

    assert (response.status, response.headers["Upload-Offset"]) == (204, "11")


async def test_what_was_there_before_stays(api: Api) -> None:
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA[:1000])

    bad = await patch(api, url, 1000, DATA[1000:], Upload_Checksum=sha1(b"other"))
    offset = await offset_of(api, url)
    good = await patch(api, url, 1000, DATA[1000:], Upload_Checksum=sha1(DATA[1000:]))

    assert (bad.status, offset, good.status) == (460, 1000, 204)
    assert await stored(api) == DATA


async def test_an_unknown_algorithm_is_refused_before_the_body(api: Api) -> None:
    url = await begin(api, 5)

    response = await patch(api, url, 0, b"hello", Upload_Checksum="sha3 AAAA")

    assert response.status == 400
    assert await offset_of(api, url) == 0


@pytest.mark.parametrize("value", ["", "sha1", "sha1 %%%", "sha1 AAAA", "SHA1 Kq5s", " sha1"])
async def test_a_malformed_checksum_is_refused(api: Api, value: str) -> None:
    url = await begin(api, 5)

    response = await patch(api, url, 0, b"hello", Upload_Checksum=value)

    assert response.status == 400
    assert await offset_of(api, url) == 0


async def test_the_checksum_of_an_empty_body_counts(api: Api) -> None:
    url = await begin(api, 5)

    good = await patch(api, url, 0, b"", Upload_Checksum=sha1(b""))
    bad = await patch(api, url, 0, b"", Upload_Checksum=sha1(b"x"))

    assert (good.status, bad.status) == (204, 460)


async def test_a_body_that_breaks_off_cannot_be_checked_and_is_dropped(api: Api) -> None:
    url = await begin(api, len(DATA))

    line = f"Upload-Checksum: {sha1(DATA)}"
    async with half_sent(api.port, patch_head(url, 0, len(DATA), line), DATA[:-1]):
        await arrived(api, len(DATA) - 1)
    await let_go(api)

    assert await offset_of(api, url) == 0


async def test_a_body_much_larger_than_memory_buffers_is_checked(api: Api) -> None:
    whole = DATA * 40

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(whole), 100_000):
            yield whole[at : at + 100_000]

    url = await begin(api, len(whole))

    response = await patch(api, url, 0, pieces(), Upload_Checksum=sha1(whole))

    assert response.status == 204
    assert await stored(api) == whole


async def test_a_length_that_came_with_a_bad_body_is_not_taken(api: Api) -> None:
    url = await begin(api, None)

    response = await patch(api, url, 0, b"hello", Upload_Checksum=sha1(b"other"), Upload_Length="5")

    assert response.status == 460
    assert (await head(api, url)).headers["Upload-Defer-Length"] == "1"


async def test_a_length_that_came_with_a_good_body_is_taken(api: Api) -> None:
    url = await begin(api, None)

    response = await patch(api, url, 0, b"hello", Upload_Checksum=sha1(b"hello"), Upload_Length="5")

    assert response.status == 204
    assert await stored(api) == b"hello"


async def test_a_checksum_in_the_trailer_is_refused(api: Api) -> None:
    """Request trailers are not seen here: taking the body would leave it unverified."""
    url = await begin(api, 5)

    response = await patch(api, url, 0, b"hello", Trailer="Upload-Checksum")

    assert response.status == 400
    assert "trailer" in (await response.json())["detail"]
    assert await offset_of(api, url) == 0


async def test_checksum_trailer_is_not_offered(api: Api) -> None:
    response, _ = await api.call("OPTIONS", "/v1/uploads")

    assert "checksum-trailer" not in response.headers["Tus-Extension"]
