"""Coded forms that lie beside a file: ``KEY.zst``, ``KEY.br``, ``KEY.gz``."""

import asyncio
import gzip
import os
import random

import pytest

from tests.server.coding import TEXT
from tests.server.conftest import Api, StartApi
from tests.server.test_put import sha256_field

GZIPPED = gzip.compress(TEXT, 9)
FILM = random.Random(1).randbytes(100_000)


@pytest.fixture
async def api(start_api: StartApi) -> Api:
    api = await start_api(precompressed=True)
    await api.put("a.txt", TEXT)
    await api.put("a.txt.gz", GZIPPED)
    return api


async def test_it_is_sent_with_the_fields_of_the_file_it_stands_for(api: Api) -> None:
    response, body = await api.call("GET", "/v1/files/a.txt", Accept_Encoding="gzip")

    assert body == GZIPPED
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Content-Type"] == "text/plain"
    assert response.headers["Content-Length"] == str(len(GZIPPED))
    assert response.headers["Content-Disposition"] == 'inline; filename="a.txt"'
    assert response.headers["Unencoded-Digest"] == sha256_field(TEXT)
    assert response.headers["Accept-Ranges"] == "none"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert "Repr-Digest" not in response.headers


async def test_it_goes_before_a_coding_that_would_have_to_be_made(api: Api) -> None:
    response, body = await api.call("GET", "/v1/files/a.txt", Accept_Encoding="gzip, br, zstd")

    assert response.headers["Content-Encoding"] == "gzip"
    assert body == GZIPPED


async def test_types_that_are_never_compressed_here_may_have_one(api: Api) -> None:
    await api.put("film.bin", FILM)
    await api.put("film.bin.zst", b"as if it were zstd")

    coded = await api.get("/v1/files/film.bin", Accept_Encoding="zstd")
    plain, body = await api.call("GET", "/v1/files/film.bin", Accept_Encoding="gzip")

    assert coded == b"as if it were zstd"
    assert body == FILM
    assert plain.headers["Vary"] == "Accept-Encoding"


async def test_who_accepts_no_coding_gets_the_file(api: Api) -> None:
    assert await api.get("/v1/files/a.txt", Accept_Encoding="identity") == TEXT
    assert await api.get("/v1/files/a.txt", Accept_Encoding="gzip", Range="bytes=5-9") == TEXT[5:10]


async def test_one_that_is_older_than_the_file_is_not_sent(api: Api) -> None:
    path = api.services.settings.data / "files/a.txt.gz"
    old = (await asyncio.to_thread(os.stat, path)).st_mtime - 3600
    await asyncio.to_thread(os.utime, path, (old, old))

    response, body = await api.call("GET", "/v1/files/a.txt", Accept_Encoding="gzip")

    assert body != GZIPPED
    assert gzip.decompress(body) == TEXT
    assert response.headers["Transfer-Encoding"] == "chunked"


async def test_it_has_a_tag_of_its_own_that_changes_with_either_file(api: Api) -> None:
    first, _ = await api.call("GET", "/v1/files/a.txt", Accept_Encoding="gzip")
    known, _ = await api.call(
        "GET", "/v1/files/a.txt", Accept_Encoding="gzip", If_None_Match=first.headers["ETag"]
    )
    await api.put("a.txt.gz", gzip.compress(TEXT, 1))
    other, _ = await api.call(
        "GET", "/v1/files/a.txt", Accept_Encoding="gzip", If_None_Match=first.headers["ETag"]
    )

    assert (known.status, other.status) == (304, 200)
    assert "Content-Encoding" not in known.headers
    assert other.headers["ETag"] != first.headers["ETag"]


async def test_it_is_a_file_as_well(api: Api) -> None:
    response, body = await api.call("GET", "/v1/files/a.txt.gz", Accept_Encoding="gzip")

    assert body == GZIPPED
    assert {"Content-Encoding", "Vary"}.isdisjoint(response.headers)


async def test_a_name_too_long_for_one_has_none(api: Api) -> None:
    await api.put("n" * 254, FILM)

    assert await api.get(f"/v1/files/{'n' * 254}", Accept_Encoding="gzip") == FILM


async def test_nobody_gets_one_unless_the_operator_says_so(start_api: StartApi) -> None:
    api = await start_api()
    await api.put("film.bin", FILM)
    await api.put("film.bin.gz", b"a stranger's")

    assert await api.get("/v1/files/film.bin", Accept_Encoding="gzip") == FILM
