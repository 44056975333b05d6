"""``Want-Content-Digest``: a range comes with its own digest (RFC 9530 §2)."""

import os

import pytest

from tests.server.conftest import Api, StartApi
from tests.server.tus_speaking import sha256_field

MIB = 1 << 20
DATA = os.urandom(3 * MIB)
LONG = os.urandom(17 * MIB)
URL = "/v1/files/file.bin"
WANTED = "sha-256=10"


@pytest.mark.parametrize("asked", ["bytes=0-0", "bytes=100-2000000", "bytes=-5", "bytes=3000000-"])
async def test_a_range_comes_with_its_digest_if_that_is_wanted(api: Api, asked: str) -> None:
    await api.put("file.bin", DATA)

    response, part = await api.call("GET", URL, Range=asked, Want_Content_Digest=WANTED)

    assert response.status == 206
    assert response.headers["Content-Digest"] == sha256_field(part)
    assert response.headers["Repr-Digest"] == sha256_field(DATA)


async def test_the_digest_is_of_the_bytes_in_other_stores_too(start_api: StartApi) -> None:
    api = await start_api(store="memory://")
    await api.put("file.bin", DATA)

    response, part = await api.call("GET", URL, Range="bytes=5-3000000", Want_Content_Digest=WANTED)

    assert part == DATA[5:3_000_001]
    assert response.headers["Content-Digest"] == sha256_field(part)


@pytest.mark.parametrize("wanted", ["", "sha-256=0", "sha-512=10", "nonsense;;"])
async def test_who_does_not_want_it_gets_none(api: Api, wanted: str) -> None:
    await api.put("file.bin", DATA)

    response, _ = await api.call("GET", URL, Range="bytes=0-9", Want_Content_Digest=wanted)

    assert response.status == 206
    assert "Content-Digest" not in response.headers


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("GET", {}),
        ("GET", {"Range": "bytes=0-9,20-29"}),
        ("GET", {"Range": "bytes=99999999-"}),
        ("HEAD", {"Range": "bytes=0-9"}),
    ],
    ids=["whole", "several", "outside", "head"],
)
async def test_it_is_told_of_the_answer_to_one_range_only(
    api: Api, method: str, asked: dict[str, str]
) -> None:
    await api.put("file.bin", DATA)

    response, _ = await api.call(method, URL, Want_Content_Digest=WANTED, **asked)

    assert "Content-Digest" not in response.headers


async def test_a_range_has_one_if_it_is_not_too_long(api: Api) -> None:
    await api.put("file.bin", LONG)

    response, part = await api.call(
        "GET", URL, Range=f"bytes=1-{16 * MIB}", Want_Content_Digest=WANTED
    )
    longer, _ = await api.call("GET", URL, Range=f"bytes=0-{16 * MIB}", Want_Content_Digest=WANTED)

    assert len(part) == 16 * MIB
    assert response.headers["Content-Digest"] == sha256_field(part)
    assert longer.status == 206
    assert "Content-Digest" not in longer.headers
