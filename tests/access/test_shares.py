"""Share links in the catalog: what is counted, and when they end."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from penstock.access import ANYONE, Access, AccessOptions, Grant, Scope, open_access
from penstock.access.sealing import Seals
from penstock.access.shares import BEARER, Share, Shares, share_id_of
from penstock.access.tokens import Wish
from penstock.catalog import GroupCommit, open_database
from penstock.catalog.access.shares import SqlShares
from penstock.errors import Forbidden, NotFound, ShareGone, TooLarge
from tests.catalog.conftest import postgres, url

__all__ = ["postgres", "url"]

SPEC = '{"keys": ["a"]}'
FOLDER = '{"prefix": "in/"}'


class Opened:
    """Shares on a catalog, and what gives tokens."""

    def __init__(self, access: Access, shares: Shares) -> None:
        self.access = access
        self.shares = shares

    async def download(self, grant: Grant = ANYONE, **terms: object) -> Share:
        chosen = {"expires_in": None, "most": None, **terms}
        return await self.shares.add(grant, "download", "a", SPEC, **chosen)  # type: ignore[arg-type]

    async def upload(self, **terms: object) -> Share:
        chosen = {"expires_in": None, "most": None, **terms}
        return await self.shares.add(ANYONE, "upload", "in", FOLDER, **chosen)  # type: ignore[arg-type]


@pytest.fixture
async def opened(url: str) -> AsyncIterator[Opened]:
    engine = await asyncio.to_thread(open_database, url)
    commits = GroupCommit(engine)
    access = open_access(engine, commits, AccessOptions(True, 60.0, 0.0))

    async def key() -> bytes:
        return await access.key("shares")

    yield Opened(access, Shares(SqlShares(engine, commits), key))
    await commits.close()
    await asyncio.to_thread(engine.dispose)


async def count(opened: Opened, share: Share) -> bool:
    try:
        await opened.shares.count(share)
    except ShareGone:
        return False
    return True


async def test_downloads_that_begin_together_are_no_more_than_may_be(opened: Opened) -> None:
    share = await opened.download(most=5)

    counted = await asyncio.gather(*(count(opened, share) for _ in range(40)))

    assert sum(counted) == 5
    assert (await opened.shares.find(await opened.shares.link(share))).count == 5


async def test_bytes_that_are_taken_together_are_no_more_than_downloads_explain(
    opened: Opened,
) -> None:
    share = await opened.download(most=3)
    for _ in range(2):
        await opened.shares.count(share)

    async def take() -> bool:
        try:
            await opened.shares.take(share, 100, 1000)
        except ShareGone:
            return False
        return True

    taken = await asyncio.gather(*(take() for _ in range(60)))

    assert sum(taken) == 40  # twice two downloads of 1,000 bytes, 100 at a time


async def test_big_files_are_gone_on_with_as_small_ones(opened: Opened) -> None:
    size = 5 << 30
    share = await opened.download(most=3)
    for _ in range(2):
        await opened.shares.count(share)

    for _ in range(2):
        await opened.shares.take(share, 2 * size, size)

    with pytest.raises(ShareGone):
        await opened.shares.take(share, 1, size)


async def test_files_that_are_put_together_are_no_more_than_were_asked_for(opened: Opened) -> None:
    share = await opened.upload(most=3)

    async def place() -> bool:
        try:
            await opened.shares.place(share.id, 10)
        except Forbidden:
            return False
        return True

    placed = await asyncio.gather(*(place() for _ in range(20)))
    assert sum(placed) == 3
    await opened.shares.give_back(share.id, 10)
    assert await place()
    assert not await place()


async def test_files_are_no_larger_than_was_said(opened: Opened) -> None:
    share = await opened.upload(most_bytes=10)

    await opened.shares.place(share.id, 10)
    with pytest.raises(TooLarge):
        await opened.shares.place(share.id, 11)


async def test_a_share_that_has_expired_is_gone_for_everything(opened: Opened) -> None:
    share = await opened.upload(expires_in=0.05)
    link = await opened.shares.link(share)
    bearer = await opened.shares.bearer(share)
    await asyncio.sleep(0.1)

    with pytest.raises(ShareGone):
        await opened.shares.find(link)
    with pytest.raises(ShareGone):
        await opened.shares.count(share)
    with pytest.raises(ShareGone):
        await opened.shares.place(share.id, 1)
    assert await opened.shares.grant_of(bearer) is None
    assert await opened.shares.page(ANYONE, None, 10) == []


async def test_a_share_ends_with_its_makers_token(opened: Opened) -> None:
    token, _ = await opened.access.tokens.add(Wish("a", [Scope.READ]), "test")
    other, _ = await opened.access.tokens.add(Wish("b", [Scope.READ]), "test")
    share = await opened.download(token.grant)
    stays = await opened.download(other.grant)

    await opened.access.tokens.remove(token.id)

    with pytest.raises(ShareGone):
        await opened.shares.find(await opened.shares.link(share))
    assert not await count(opened, share)
    assert await opened.shares.find(await opened.shares.link(stays)) == stays


async def test_the_signature_is_what_opens_a_link(opened: Opened) -> None:
    share = await opened.download()
    link = await opened.shares.link(share)
    identity, _, signature = link.partition(".")
    other = await opened.shares.link(await opened.download())

    assert await opened.shares.find(link) == share
    for wrong in (
        identity,
        f"{identity}.",
        f"{identity}.{other.partition('.')[2]}",
        f"{identity}.{signature.swapcase()}",
        f"{identity.upper()}.{signature}",
        f"{link}\n",
        f" {link}",
        "é" * 39,
    ):
        with pytest.raises(NotFound):
            await opened.shares.find(wrong)


async def test_an_upload_share_is_a_token_for_its_folder_only(opened: Opened) -> None:
    share = await opened.upload()

    grant = await opened.shares.grant_of(await opened.shares.bearer(share))

    assert grant is not None
    assert (grant.prefix, grant.creates_only) == ("in/", True)
    assert grant.scopes == {Scope.WRITE}
    assert share_id_of(grant) == share.id
    assert share_id_of(ANYONE) is None


async def test_a_share_with_a_password_is_a_token_with_its_proof_only(opened: Opened) -> None:
    share = await opened.upload(password="pw")
    link = await opened.shares.link(share)
    bearer = await opened.shares.bearer(share)

    assert await opened.shares.grant_of(bearer) is not None
    assert await opened.shares.grant_of(f"{BEARER}{link}") is None
    assert await opened.shares.grant_of(f"{BEARER}{link}.") is None
    assert await opened.shares.grant_of(f"{bearer}x") is None
    assert await opened.shares.grant_of(f"{bearer}é") is None
    assert await opened.shares.is_right(share, "pw")
    assert not await opened.shares.is_right(share, "PW")
    assert not await opened.shares.is_proof(replace(share, password=b"another"), bearer[-22:])


async def test_a_download_share_is_no_token(opened: Opened) -> None:
    share = await opened.download()

    assert await opened.shares.grant_of(await opened.shares.bearer(share)) is None


async def test_the_newest_come_first_page_by_page(opened: Opened) -> None:
    made = [await opened.download() for _ in range(5)]

    first = await opened.shares.page(ANYONE, None, 3)
    last = first[-1]
    rest = await opened.shares.page(ANYONE, (last.created, last.id), 3)

    assert [*first, *rest] == made[::-1]


async def test_passwords_are_kept_with_a_salt_of_their_own() -> None:
    seals = Seals()

    one, other = await seals.seal("same"), await seals.seal("same")

    assert one != other
    assert b"same" not in one
    assert await seals.opens(one, "same")
    assert await seals.opens(other, "same")
    assert await seals.opens(one, "same")
    assert not await seals.opens(one, "other")
    assert await seals.opens(await seals.seal("u\u0308"), "ü")


async def test_what_can_be_no_id_ends_no_share(opened: Opened) -> None:
    for identity in ("a\0b", "\ud800", "", "x" * 10_000):
        with pytest.raises(NotFound):
            await opened.shares.remove(ANYONE, identity)
