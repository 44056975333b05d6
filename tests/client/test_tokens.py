"""The token of a client: shown to its server with every request, and to nobody else."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.client import Client
from penstock.errors import LoginNeeded
from tests.faults import Source, faulty, redirect, status

FILM = bytes(range(256)) * 400
TOKEN = "pst_abcdefghijkl_SomethingThatNobodyKnows-_x"
MADE = 1_700_000_000
SHOWN = f"Bearer {TOKEN}"


@pytest.fixture
async def elsewhere() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest.fixture
async def known(source: Source) -> AsyncIterator[Client]:
    """A client of ``source`` that has a token."""
    async with Client(source.url, token=TOKEN, tries=1) as made:
        yield made


def shown(seen: Source) -> set[str | None]:
    """What the requests showed."""
    assert seen.requests
    return {request.headers.get("authorization") for request in seen.requests}


@pytest.mark.parametrize("target", ["file", "stream"])
async def test_downloads_show_the_token(
    known: Client, source: Source, tmp_path: Path, target: str
) -> None:
    source.serve("/v1/files/film", FILM, etag='"v1"', last_modified=MADE)

    await known.get("film", io.BytesIO() if target == "stream" else tmp_path / "film")

    assert shown(source) == {SHOWN}


@pytest.mark.parametrize("target", ["file", "stream"])
async def test_redirects_elsewhere_do_not(
    known: Client, source: Source, elsewhere: Source, tmp_path: Path, target: str
) -> None:
    url = elsewhere.serve("/kept", FILM, etag='"v1"', last_modified=MADE)
    to = redirect(url)
    source.serve("/v1/files/film", b"", always=to, head_faults=[to])

    await known.get("film", io.BytesIO() if target == "stream" else tmp_path / "film")

    assert (shown(source), shown(elsewhere)) == ({SHOWN}, {None})


async def test_redirects_that_the_library_follows_do_not(
    known: Client, source: Source, elsewhere: Source
) -> None:
    url = elsewhere.serve("/v1/tokens", b'{"tokens": []}')
    source.serve("/v1/tokens", b"", always=redirect(url))

    assert await known.tokens.list() == []

    assert (shown(source), shown(elsewhere)) == ({SHOWN}, {None})


@pytest.mark.parametrize("target", ["file", "stream"])
async def test_links_to_other_servers_do_not(
    known: Client, elsewhere: Source, tmp_path: Path, target: str
) -> None:
    url = elsewhere.serve("/presigned", FILM, etag='"v1"', last_modified=MADE)

    await known.download(url, io.BytesIO() if target == "stream" else tmp_path / "film")

    assert shown(elsewhere) == {None}


async def test_links_to_the_server_itself_do(known: Client, source: Source, tmp_path: Path) -> None:
    url = source.serve("/v1/files/exports/film.zip", FILM, etag='"v1"', last_modified=MADE)

    await known.download(url, tmp_path / "film.zip")

    assert shown(source) == {SHOWN}


async def test_credentials_of_a_call_go_before_the_token(
    known: Client, source: Source, tmp_path: Path
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', last_modified=MADE)

    await known.download(url, tmp_path / "film", headers={"authorization": "Basic eDp5"})
    await known.download(url.replace("://", "://x:y@"), tmp_path / "again")

    assert shown(source) == {"Basic eDp5"}


async def test_a_refusal_says_that_a_login_is_needed(known: Client, source: Source) -> None:
    source.serve("/v1/session", b"", always=status(401, WWW_Authenticate='Bearer realm="Penstock"'))

    with pytest.raises(LoginNeeded) as refused:
        await known.tokens.session()

    assert TOKEN not in str(refused.value.extra) + str(refused.value)


@pytest.mark.parametrize("token", ["", "two words", "line\r\nX: y", "naïve"])
async def test_what_cannot_be_a_token_is_refused_and_not_told(token: str) -> None:
    with pytest.raises(ValueError, match="a token has") as refused:
        Client("http://127.0.0.1:1", token=token)

    assert not token or token not in str(refused.value)


async def test_an_address_with_a_user_needs_no_token() -> None:
    with pytest.raises(ValueError, match="names a user already"):
        Client("http://me:secret@127.0.0.1:1", token=TOKEN)
