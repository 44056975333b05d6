"""Presigned links, followed by curl, which knows nothing of us."""

import asyncio
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from penstock.errors import BadRequest
from penstock.stores.s3.store import S3Store
from tests.s3.files import MIB, content, put
from tests.s3.fixtures import OpenS3
from tests.s3.servers import S3Server
from tests.s3.test_store import ODD_KEYS

on_one = pytest.mark.parametrize("s3_server", ["ministack"], indirect=True)
curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def fetched(url: str) -> tuple[int, bytes, str]:
    """Status, body and Content-Disposition of the answer."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read(), answer.headers["Content-Disposition"] or ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), ""


@curl
async def test_curl_fetches_a_presigned_link_under_the_name_it_has(
    store: S3Store, tmp_path: Path
) -> None:
    data = content(3 * MIB)
    await put(store, "a/b", data)

    link = await store.presigned("a/b", 60, file_name="film.mkv")
    command = ["curl", "-sSfOJ", "--output-dir", str(tmp_path), link]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=60)

    assert (tmp_path / "film.mkv").read_bytes() == data


async def test_odd_keys_and_names_can_be_linked_to(store: S3Store) -> None:
    async def linked(key: str) -> tuple[int, bytes]:
        await put(store, key, key.encode())
        link = await store.presigned(key, 60, file_name=key.rpartition("/")[2])
        return (await asyncio.to_thread(fetched, link))[:2]

    found = await asyncio.gather(*map(linked, ODD_KEYS))

    assert found == [(200, key.encode()) for key in ODD_KEYS]


async def test_the_name_of_the_file_is_told_to_old_and_new_readers(store: S3Store) -> None:
    await put(store, "a", b"x")
    link = await store.presigned("a", 60, file_name='Über "alles"\r\n.pdf')

    _, _, disposition = await asyncio.to_thread(fetched, link)

    assert disposition == (
        'attachment; filename="_ber _alles___.pdf"; '
        "filename*=UTF-8''%C3%9Cber%20%22alles%22__.pdf"
    )


async def test_a_link_that_was_changed_is_refused(store: S3Store) -> None:
    await put(store, "a", b"x")
    await put(store, "b", b"secret")
    link = await store.presigned("a", 60)

    other = await asyncio.to_thread(fetched, link.replace("/a?", "/b?"))
    longer = await asyncio.to_thread(fetched, link.replace("Expires=60", "Expires=61"))

    assert (other[0], longer[0]) == (403, 403)


@pytest.mark.parametrize("s3_server", ["swift"], indirect=True)
async def test_an_expired_link_is_refused(store: S3Store) -> None:
    await put(store, "a", b"x")
    link = await store.presigned("a", 1)

    await asyncio.sleep(2.1)  # what is promised is a time

    assert (await asyncio.to_thread(fetched, link))[0] == 403


@on_one
async def test_a_link_is_good_for_a_week_at_most(store: S3Store) -> None:
    for expires in (0, 0.9, 604_801, float("nan")):
        with pytest.raises(BadRequest, match="604,800 seconds"):
            await store.presigned("a", expires)

    assert "X-Amz-Expires=604800&" in await store.presigned("a", 604_800)


@on_one
async def test_who_is_anonymous_cannot_presign(open_s3: OpenS3) -> None:
    store = await open_s3(anonymous=True, access_key="", secret_key="")

    with pytest.raises(BadRequest, match="anonymous"):
        await store.presigned("a", 60)


@on_one
async def test_direct_links_name_the_object(
    open_s3: OpenS3, s3_server: S3Server, prefix: str
) -> None:
    usual = await open_s3()
    public = await open_s3(public_url="https://files.example.org/shop/")

    key = "a b/é+.txt"

    assert usual.direct_url(key) == (
        f"{s3_server.endpoint}/{s3_server.bucket}/{prefix}/a%20b/%C3%A9%2B.txt"
    )
    assert public.direct_url(key) == (
        f"https://files.example.org/shop/{prefix}/a%20b/%C3%A9%2B.txt"
    )


@on_one
async def test_a_public_url_that_is_none_is_refused(open_s3: OpenS3) -> None:
    for url in ("files.example.org", "ftp://x/", "https://x/?a", "http://x:y/"):
        with pytest.raises(BadRequest, match="S3_PUBLIC_URL"):
            await open_s3(public_url=url)
