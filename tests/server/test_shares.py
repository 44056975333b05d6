"""Links to fetch something by, made and used as people and programs do."""

import asyncio
import logging
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from penstock.access import Scope
from penstock.access.tokens import Wish
from tests.server.asking import contents
from tests.server.conftest import Api, StartApi
from tests.server.programs import run
from tests.server.sharing import basic, file_of, left, page_of, share, status

DATA = bytes(range(256)) * 4096
"""1 MiB."""


async def test_a_link_gives_the_file_it_was_made_for(api: Api) -> None:
    await api.put("a/photo.bin", DATA)

    made = await share(api, keys=["a/photo.bin"])

    response, body = await api.call("GET", file_of(made))
    assert (response.status, body) == (200, DATA)
    assert response.headers["Content-Disposition"] == 'attachment; filename="photo.bin"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_the_file_can_have_another_name(api: Api) -> None:
    await api.put("a/x.bin", b"x")

    made = await share(api, keys=["a/x.bin"], name="Bericht für Anna.bin")

    response, _ = await api.call("GET", file_of(made))
    assert (
        "filename*=UTF-8''Bericht%20f%C3%BCr%20Anna.bin"
        in (response.headers["Content-Disposition"])
    )


async def test_a_folder_is_the_zip_of_what_is_there_when_it_is_fetched(api: Api) -> None:
    await api.put("a/1.txt", b"one")
    made = await share(api, prefixes=["a/"])

    before = contents(await api.get(file_of(made)))
    await api.put("a/2.txt", b"two")
    response, body = await api.call("GET", file_of(made))

    assert before == {"a/1.txt": b"one"}
    assert contents(body) == {"a/1.txt": b"one", "a/2.txt": b"two"}
    assert response.headers["Content-Disposition"] == 'attachment; filename="a.zip"'


async def test_a_zip_by_a_link_can_be_resumed(api: Api) -> None:
    await api.put("a/1.bin", DATA)
    await api.put("a/2.bin", DATA[::-1])
    made = await share(api, prefixes=["a/"], most=1)

    response, body = await api.call("GET", file_of(made))
    etag = response.headers["ETag"]
    rest, tail = await api.call("GET", file_of(made), Range="bytes=500000-", If_Range=etag)

    assert rest.status == 206
    assert body[500000:] == tail


async def test_only_stored_files_are_shared(api: Api) -> None:
    async with api.session.post(
        "/v1/shares", json={"kind": "download", "urls": ["http://127.0.0.1/secret"]}
    ) as response:
        assert response.status == 400


async def test_what_is_not_there_is_not_shared(api: Api) -> None:
    async with api.session.post("/v1/shares", json={"keys": ["nothing.bin"]}) as response:
        assert response.status == 404
    async with api.session.post("/v1/shares", json={"prefixes": ["none/"]}) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    "wish",
    [
        {"keys": ["a"], "most": 0},
        {"keys": ["a"], "most": True},
        {"keys": ["a"], "expires_in": 0},
        {"keys": ["a"], "expires_in": "1"},
        {"keys": ["a"], "expires_in": 1e12},
        {"keys": ["a"], "password": 7},
        {"keys": ["a"], "prefix": "b/"},
        {"kind": "upload", "keys": ["a"]},
        {"kind": "upload", "prefix": "../b"},
        {"kind": "else"},
        {"keys": []},
        [],
    ],
)
async def test_a_wish_that_means_nothing_is_refused(api: Api, wish: object) -> None:
    async with api.session.post("/v1/shares", json=wish) as response:
        assert response.status == 400


async def test_a_request_for_the_first_byte_is_a_download(api: Api) -> None:
    await api.put("a.bin", DATA)
    made = await share(api, keys=["a.bin"], most=3)

    assert await status(api, file_of(made)) == 200
    assert await status(api, file_of(made), Range="bytes=0-0") == 206
    assert await status(api, file_of(made), Range="bytes=-2000000") == 206

    assert await left(api, made) == 0
    response, body = await api.call("GET", file_of(made))
    assert response.status == 410
    assert b"share-gone" in body


async def test_what_sends_no_bytes_does_not_count(api: Api) -> None:
    etag = (await api.put("a.bin", DATA))["etag"]
    made = await share(api, keys=["a.bin"], most=1)

    assert await status(api, file_of(made), "HEAD") == 200
    assert await status(api, file_of(made), If_None_Match=etag) == 304
    assert await status(api, file_of(made), If_Match='"another"') == 412
    assert await status(api, file_of(made), Range=f"bytes={len(DATA)}-") == 416
    assert await status(api, page_of(made)) == 200

    assert await left(api, made) == 1


async def test_of_downloads_that_begin_at_once_no_more_succeed_than_may(api: Api) -> None:
    await api.put("a.bin", b"x" * 1000)
    made = await share(api, keys=["a.bin"], most=3)

    codes = await asyncio.gather(*(status(api, file_of(made)) for _ in range(12)))

    assert sorted(codes) == [200] * 3 + [410] * 9


async def test_nothing_can_be_fetched_before_a_download_was_counted(api: Api) -> None:
    await api.put("a.bin", DATA)
    made = await share(api, keys=["a.bin"], most=1)

    assert await status(api, file_of(made), Range="bytes=1-") == 410


async def test_later_bytes_can_be_fetched_until_they_explain_no_download(api: Api) -> None:
    await api.put("a.bin", DATA)
    made = await share(api, keys=["a.bin"], most=1)
    assert await status(api, file_of(made)) == 200

    codes = [await _fetched(api, file_of(made)) for _ in range(4)]

    assert codes == [True, True, False, False]


async def _fetched(api: Api, path: str) -> bool:
    """Whether all but the first byte could be had."""
    async with api.session.get(path, headers={"Range": "bytes=1-"}) as response:
        if response.status != 206:
            return False
        return await response.read() == DATA[1:]


async def test_bytes_that_were_asked_for_but_not_taken_do_not_count(start_api: StartApi) -> None:
    api = await start_api()
    big = DATA * 24
    await api.put("big.bin", big)
    made = await share(api, keys=["big.bin"], most=1)
    assert await status(api, file_of(made), Range="bytes=0-0") == 206

    for _ in range(8):  # far more than may be sent, were all of it sent
        async with api.session.get(file_of(made), headers={"Range": "bytes=1-"}) as response:
            assert response.status == 206
            await response.content.readexactly(1000)
            response.close()

    assert await status(api, file_of(made), Range="bytes=1-1000") == 206


async def test_without_a_limit_ranges_cost_nothing(api: Api) -> None:
    await api.put("a.bin", DATA)
    made = await share(api, keys=["a.bin"])

    codes = [await status(api, file_of(made), Range="bytes=1-") for _ in range(5)]

    assert codes == [206] * 5


async def test_curl_resumes_the_only_download(api: Api, tmp_path: Path) -> None:
    await api.put("a.bin", DATA)
    made = await share(api, keys=["a.bin"], most=1)
    async with api.session.get(file_of(made)) as response:
        begun = await response.content.readexactly(300_000)
        response.close()
    out = tmp_path / "a.bin"
    await asyncio.to_thread(out.write_bytes, begun)

    await run("curl", "-sS", "-f", "-C", "-", "-o", str(out), f"{made['url']}/file")

    assert await asyncio.to_thread(out.read_bytes) == DATA
    assert await left(api, made) == 0


async def test_aria2_fetches_the_only_download_with_four_connections(
    api: Api, tmp_path: Path
) -> None:
    big = DATA * 8
    await api.put("big.bin", big)
    made = await share(api, keys=["big.bin"], most=1)

    words = ["-x4", "-s4", "-k1M", "--quiet", "--file-allocation=none", f"--dir={tmp_path}"]
    await run("aria2c", *words, "--max-tries=1", "-m1", "--no-conf", f"{made['url']}/file")

    assert await asyncio.to_thread((tmp_path / "big.bin").read_bytes) == big
    assert await left(api, made) == 0


async def test_aria2_with_sixteen_connections_has_it_whole_as_well(
    api: Api, tmp_path: Path
) -> None:
    big = DATA * 17
    await api.put("a/big.bin", big)
    made = await share(api, prefixes=["a/"], most=1)

    words = ["-x16", "-s16", "-k1M", "--quiet", "--file-allocation=none", f"--dir={tmp_path}"]
    await run("aria2c", *words, "--max-tries=1", "--no-conf", f"{made['url']}/file")

    found = await asyncio.to_thread((tmp_path / "a.zip").read_bytes)
    assert contents(found) == {"a/big.bin": big}


async def test_a_link_expires(api: Api) -> None:
    await api.put("a.bin", b"x")
    made = await share(api, keys=["a.bin"], expires_in=0.2)

    assert await _ends(api, file_of(made))
    response, body = await api.call("GET", page_of(made), Accept="text/html")
    assert response.status == 410
    assert b"This link has ended" in body
    async with api.session.get("/v1/shares") as listing:
        assert (await listing.json())["shares"] == []


async def _ends(api: Api, path: str, seconds: float = 10.0) -> bool:
    """Whether the link leads nowhere within so many seconds."""
    for _ in range(int(seconds / 0.05)):
        if await status(api, path) == 410:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_link_that_does_not_expire_says_so(api: Api) -> None:
    await api.put("a.bin", b"x")

    assert (await share(api, keys=["a.bin"], expires_in=None))["expires"] is None
    assert (await share(api, keys=["a.bin"]))["expires"] is not None


async def test_a_removed_link_leads_nowhere(api: Api) -> None:
    await api.put("a.bin", b"x")
    made = await share(api, keys=["a.bin"])

    assert await status(api, f"/v1/shares/{made['id']}", "DELETE") == 204

    assert await status(api, file_of(made)) == 410
    assert await status(api, f"/v1/shares/{made['id']}", "DELETE") == 404


async def test_links_that_were_made_up_lead_nowhere(api: Api) -> None:
    await api.put("a.bin", b"x")
    path = page_of(await share(api, keys=["a.bin"]))
    identity, _, signature = path.removeprefix("/s/").partition(".")
    other = ("A" if signature[0] != "A" else "B") + signature[1:]

    for link in (identity, f"{identity}.", f"{identity}.{other}", f"{identity}.{signature}A", "x"):
        response, body = await api.call("GET", f"/s/{link}")
        assert response.status == 404
        assert b"There is nothing here" in body
        assert await status(api, f"/s/{link}/file") == 404


async def test_a_file_that_is_gone_is_told_on_a_page(api: Api) -> None:
    await api.put("a.bin", b"x")
    made = await share(api, keys=["a.bin"])
    await api.call("DELETE", "/v1/files/a.bin")

    response, body = await api.call("GET", page_of(made))

    assert response.status == 404
    assert b"<h1>There is nothing here</h1>" in body


async def test_a_link_is_the_same_after_a_restart(start_api: StartApi) -> None:
    first = await start_api()
    await first.put("a.bin", DATA)
    made = await share(first, keys=["a.bin"])

    second = await start_api()

    assert await second.get(file_of(made)) == DATA


async def test_links_name_the_servers_public_url(start_api: StartApi) -> None:
    api = await start_api(public_url="https://files.example.com/")
    await api.put("a.bin", b"x")

    made = await share(api, keys=["a.bin"])

    assert made["url"].startswith("https://files.example.com/s/")


async def test_a_password_is_asked_for(api: Api) -> None:
    await api.put("a.bin", DATA)
    made = await share(api, keys=["a.bin"], password="über")

    assert made["has_password"] is True
    response, _ = await api.call("GET", file_of(made))
    assert response.status == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic")
    assert await status(api, f"{page_of(made)}/info") == 401
    assert await status(api, file_of(made), Authorization=basic("uber")) == 401
    response, body = await api.call("GET", file_of(made), Authorization=basic("über"))
    assert (response.status, body) == (200, DATA)


async def test_the_page_tells_nothing_before_the_password(api: Api) -> None:
    await api.put("secret-name.bin", b"x")
    made = await share(api, keys=["secret-name.bin"], password="pw")

    _, body = await api.call("GET", page_of(made))

    assert b'name="password"' in body
    assert b"secret-name" not in body


async def test_the_pages_form_sets_a_cookie_for_this_link_only(api: Api) -> None:
    await api.put("a.bin", DATA)
    made = await share(api, keys=["a.bin"], password="pw")

    wrong = await _told(api, page_of(made), "no")
    right = await _told(api, page_of(made), "pw")

    assert wrong[0] == 403
    assert right[0] == 303
    cookie = right[1]
    assert f"Path={page_of(made)}" in cookie
    assert "HttpOnly" in cookie
    proof = cookie.partition(";")[0]
    assert await status(api, file_of(made), Cookie=proof) == 200
    other = await share(api, keys=["a.bin"], password="pw")
    assert await status(api, file_of(other), Cookie=proof) == 401


async def test_where_the_public_url_is_https_the_cookie_goes_no_other_way(
    start_api: StartApi,
) -> None:
    api = await start_api(public_url="https://files.example.com")
    await api.put("a.bin", DATA)
    made = await share(api, keys=["a.bin"], password="pw")

    _, cookie = await _told(api, page_of(made), "pw")

    assert "Secure" in cookie


async def _told(api: Api, path: str, password: str) -> tuple[int, str]:
    async with api.session.post(
        path, data={"password": password}, allow_redirects=False
    ) as response:
        return response.status, response.headers.get("Set-Cookie", "")


async def test_guessing_a_password_is_made_slow(api: Api) -> None:
    await api.put("a.bin", b"x")
    made = await share(api, keys=["a.bin"], password="pw")

    began = time.monotonic()  # the pause counts from the last of them, however slow that answer is
    codes = await asyncio.gather(
        *(status(api, file_of(made), Authorization=basic(f"guess {n}")) for n in range(4))
    )
    await status(api, file_of(made), Authorization=basic("guess again"))
    waited = time.monotonic() - began

    assert codes == [401] * 4
    assert waited >= 1.0


async def test_the_page_says_what_there_is(api: Api) -> None:
    await api.put("a/one & two.bin", b"x" * 1_234_567)
    made = await share(api, keys=["a/one & two.bin"], most=2)

    response, body = await api.call("GET", page_of(made))
    text = body.decode()

    assert response.status == 200
    assert "one &amp; two.bin" in text
    assert "1.23 MB" in text
    assert "2 downloads" in text
    assert f'href="{file_of(made)}"' in text
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert response.headers["Cache-Control"] == "no-store"


async def test_the_command_on_the_page_fetches_the_file(api: Api, tmp_path: Path) -> None:
    await api.put("it's.bin", DATA)
    made = await share(api, keys=["it's.bin"])
    _, body = await api.call("GET", page_of(made))
    found = re.search(r'<code id="share-curl">(.*?)</code>', body.decode())
    assert found is not None
    command = found[1].replace("&#x27;", "'").replace("&quot;", '"').replace("&amp;", "&")

    await run("sh", "-c", f"cd '{tmp_path}' && {command}")

    assert await asyncio.to_thread((tmp_path / "it's.bin").read_bytes) == DATA


async def test_a_browser_is_shown_a_page_where_a_link_has_ended(api: Api) -> None:
    await api.put("a.bin", b"x")
    made = await share(api, keys=["a.bin"], most=1)
    assert await status(api, file_of(made)) == 200

    response, body = await api.call("GET", file_of(made), Accept="text/html,*/*")

    assert response.status == 410
    assert b"<h1>This link has ended</h1>" in body


async def test_links_are_not_in_the_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "penstock")
    await api.put("a.bin", b"x")
    made = await share(api, keys=["a.bin"])
    path, _, signature = urlsplit(made["url"]).path.partition(".")

    await api.get(file_of(made))

    told = [str(vars(record)) for record in caplog.records]
    assert any(f"{path}/file" in line for line in told)
    assert not any(signature in line for line in told)


async def test_shares_are_listed_page_by_page(api: Api) -> None:
    await api.put("a.bin", b"x")
    made = [(await share(api, keys=["a.bin"]))["id"] for _ in range(5)]

    found: list[str] = []
    after: str | None = ""
    while after is not None:
        async with api.session.get("/v1/shares", params={"limit": 2, "after": after}) as response:
            page = await response.json()
        found += [one["id"] for one in page["shares"]]
        after = page["next"]

    assert found == made[::-1]


@pytest.fixture
async def guarded(start_api: StartApi) -> Api:
    """A server that asks for tokens."""
    return await start_api(access="on")


async def _token(api: Api, *scopes: Scope, prefix: str = "", lifetime: float | None = None) -> str:
    wish = Wish("of a test", list(scopes), prefix=prefix, lifetime=lifetime)
    return (await api.services.access.tokens.add(wish, "test"))[1]


async def test_a_link_needs_no_token(guarded: Api) -> None:
    token = await _token(guarded, Scope.READ, Scope.WRITE)
    await guarded.put("a.bin", DATA, Authorization=f"Bearer {token}")

    made = await share(guarded, token, keys=["a.bin"])

    assert await guarded.get(file_of(made)) == DATA
    assert await status(guarded, page_of(made)) == 200
    assert await status(guarded, "/v1/files/a.bin") == 401


async def test_who_may_not_read_shares_nothing(guarded: Api) -> None:
    writer = await _token(guarded, Scope.WRITE)
    await guarded.put("a.bin", DATA, Authorization=f"Bearer {writer}")

    async with guarded.session.post(
        "/v1/shares", json={"keys": ["a.bin"]}, headers={"Authorization": f"Bearer {writer}"}
    ) as response:
        assert response.status == 403


async def test_who_is_bound_to_a_folder_shares_nothing_else(guarded: Api) -> None:
    admin = await _token(guarded, Scope.ADMIN)
    for key in ("mine/a.bin", "theirs/a.bin"):
        await guarded.put(key, b"x", Authorization=f"Bearer {admin}")
    bound = await _token(guarded, Scope.READ, Scope.WRITE, prefix="mine/")

    await share(guarded, bound, keys=["mine/a.bin"])
    await share(guarded, bound, kind="upload", prefix="mine/in/")
    for wish in (
        {"keys": ["theirs/a.bin"]},
        {"keys": ["mine/a.bin", "theirs/a.bin"]},
        {"prefixes": ["theirs/"]},
        {"prefixes": [""]},
        {"kind": "upload", "prefix": "theirs/"},
        {"kind": "upload", "prefix": ""},
    ):
        async with guarded.session.post(
            "/v1/shares", json=wish, headers={"Authorization": f"Bearer {bound}"}
        ) as response:
            assert response.status == 403


async def test_each_sees_and_ends_his_own_shares_and_who_may_everything_all(guarded: Api) -> None:
    admin = await _token(guarded, Scope.ADMIN)
    one, other = [await _token(guarded, Scope.READ) for _ in range(2)]
    await guarded.put("a.bin", b"x", Authorization=f"Bearer {admin}")
    made = await share(guarded, one, keys=["a.bin"])
    path = f"/v1/shares/{made['id']}"

    async def seen(token: str) -> list[str]:
        headers = {"Authorization": f"Bearer {token}"}
        async with guarded.session.get("/v1/shares", headers=headers) as response:
            return [share["id"] for share in (await response.json())["shares"]]

    assert await seen(one) == await seen(admin) == [made["id"]]
    assert await seen(other) == []
    assert await status(guarded, path, "DELETE", Authorization=f"Bearer {other}") == 404
    assert await status(guarded, path, "DELETE", Authorization=f"Bearer {admin}") == 204


async def test_a_link_ends_with_the_token_that_made_it(guarded: Api) -> None:
    admin = await _token(guarded, Scope.ADMIN)
    await guarded.put("a.bin", b"x", Authorization=f"Bearer {admin}")
    maker = await _token(guarded, Scope.READ)
    made = await share(guarded, maker, keys=["a.bin"])
    assert await status(guarded, file_of(made)) == 200

    await guarded.services.access.remove_token(maker.split("_")[1])

    assert await status(guarded, file_of(made)) == 410


async def test_a_link_ends_when_the_token_that_made_it_expires(guarded: Api) -> None:
    admin = await _token(guarded, Scope.ADMIN)
    await guarded.put("a.bin", b"x", Authorization=f"Bearer {admin}")
    maker = await _token(guarded, Scope.READ, lifetime=2.0)
    made = await share(guarded, maker, keys=["a.bin"], expires_in=None)

    assert await _ends(guarded, file_of(made))
