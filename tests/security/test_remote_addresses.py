"""URLs that lead to where only this machine reaches, through every door that takes a URL.

If one of these failed, whoever may pull a file or order a ZIP would read what the servers inside
tell this machine: keys of the cloud it runs in, databases, its own administration.
"""

import io
import json
import socket
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import quote

import pytest

from tests.faults import Source, faulty, redirect
from tests.pulls.pulling import ask, ended, hasten
from tests.remote.test_guard import resolving
from tests.server.conftest import Api, StartApi

INSIDE = b"told to this machine only"
PUBLIC = "127.0.0.2"
"""Stands for a server of the Internet: the one address that may be reached."""


def spellings(port: int) -> list[str]:
    """URLs of 127.0.0.1, and of others that nobody outside should reach."""
    hosts = [
        "127.0.0.1", "localhost", "LOCALHOST.", "127.0.0.1.", "127.1", "127.0.1", "2130706433",
        "017700000001", "0177.0.0.01", "0x7f000001", "0x7F.0x0.0x0.0x1", "0x7f.1", "00000127.0.0.1",
        "0", "0.0.0.0", "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]",
        "[::ffff:0:127.0.0.1]",
        "[::1%25lo]", "[fe80::1%25lo]", "127.0.0.3", "127.255.255.254", "１２７.０.０.１",
        "127。0。0。1",
        "①②⑦.0.0.1", "localhost%00.example.org", "example.org@127.0.0.1", "user:pass@127.0.0.1",
        "127.0.0.2@127.0.0.1", "127.0.0.2:80@127.0.0.1", "127.0.0.2%40127.0.0.1",
        "127.0.0.1\\@127.0.0.2",
        "127.0.0.1#@127.0.0.2", "127.0.0.1?@127.0.0.2", "169.254.169.254", "[fd00:ec2::254]",
        "2852039166", "0xA9FEA9FE", "[::ffff:169.254.169.254]", "10.0.0.1", "172.31.255.255",
        "192.168.1.1", "100.100.100.200", "198.19.0.1", "255.255.255.255", "224.0.0.1",
    ]  # fmt: skip
    web = [
        f"http://{host}/inside" if set(host) & set("#?") else f"http://{host}:{port}/inside"
        for host in hosts
    ]
    others = [
        f"https://127.0.0.1:{port}/inside", f"HTTP://127.0.0.1:{port}/inside",
        f" http://127.0.0.1:{port}/inside", f"http:/127.0.0.1:{port}/inside",
        f"http:127.0.0.1:{port}/inside", f"//127.0.0.1:{port}/inside", f"http:///127.0.0.1:{port}/",
        f"http://\t127.0.0.1:{port}/inside", f"http://127.0.0.1:{port}\r\nX: y/inside",
        "file:///etc/passwd", "file://localhost/etc/passwd", f"ftp://127.0.0.1:{port}/inside",
        f"gopher://127.0.0.1:{port}/_GET%20/inside", f"dict://127.0.0.1:{port}/x",
        f"ws://127.0.0.1:{port}/inside", "data:text/plain,inside", "jar:http://127.0.0.1!/x",
        "unix:///run/docker.sock", "http+unix://%2frun%2fdocker.sock/x", "javascript:1", "s3://b/k",
        "ldap://127.0.0.1/", "netdoc:///etc/passwd", "view-source:http://127.0.0.1/",
    ]  # fmt: skip
    return web + others


Door = Callable[[Api, list[str]], Awaitable[bytes]]


async def _pulled(api: Api, urls: list[str]) -> bytes:
    """What pulls tell of each, and what they stored."""
    begun = []
    for number, url in enumerate(urls):
        status, pull = await ask(api, {"url": url, "key": f"pulled/{number}"})
        assert status in (202, 400), url
        if status == 202:
            begun.append(pull)
    told = [await ended(api, pull) for pull in begun]
    assert {pull["state"] for pull in told} <= {"failed"}
    assert json.loads(await api.get("/v1/files"))["files"] == []
    return json.dumps(told).encode()


async def _zipped(api: Api, urls: list[str]) -> bytes:
    """What is in the ZIP of each, or is said instead of one."""
    told = b""
    for url in urls:
        body = json.dumps({"urls": [{"url": url}], "on_error": "report"})
        response, came = await api.call("POST", "/v1/zip", body, Content_Type="application/json")
        assert response.status < 500, url
        told += _inside(came)
        response, came = await api.call("GET", f"/v1/zip?url={quote(url, safe='')}")
        assert response.status >= 400, url
        told += came
    return told


async def _linked(api: Api, urls: list[str]) -> bytes:
    told = b""
    for url in urls:
        spec = json.dumps({"urls": [{"url": url}]})
        response, came = await api.call("POST", "/v1/zips", spec, Content_Type="application/json")
        assert response.status >= 400, url
        told += came
    return told


async def _stream_downloaded(api: Api, urls: list[str]) -> bytes:
    told = b""
    for url in urls:
        body = json.dumps({"urls": [url]})
        response, came = await api.call(
            "POST", "/api/download", body, Content_Type="application/json"
        )
        assert response.status < 500, url
        told += _inside(came)
    return told


def _inside(came: bytes) -> bytes:
    """The bytes of all members of a ZIP; what is none, as it is."""
    if not zipfile.is_zipfile(io.BytesIO(came)):
        return came
    with zipfile.ZipFile(io.BytesIO(came)) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


DOORS = [_pulled, _zipped, _linked, _stream_downloaded]


@pytest.fixture
async def inside() -> AsyncIterator[Source]:
    """What must not be reached; it is at one of the ports that may be."""
    async with faulty() as made:
        made.serve("/inside", INSIDE, etag='"v1"')
        yield made


@pytest.fixture
async def api(start_api: StartApi, inside: Source, monkeypatch: pytest.MonkeyPatch) -> Api:
    hasten(monkeypatch)
    return await start_api(
        remote_allow=PUBLIC,
        remote_ports=f"80,443,{inside.port}",
        remote_tries=1,
        remote_connect_timeout=2,
        remote_answer_timeout=2,
    )


@pytest.mark.parametrize("door", DOORS)
async def test_no_spelling_of_an_address_leads_inside(api: Api, inside: Source, door: Door) -> None:
    told = await door(api, spellings(inside.port))

    assert inside.accepted == 0
    assert INSIDE not in told
    assert b"root:" not in told


@pytest.mark.parametrize("door", DOORS)
async def test_no_redirect_leads_inside(api: Api, inside: Source, door: Door) -> None:
    async with faulty(host=PUBLIC, port=inside.port) as public:
        urls = []
        for number, to in enumerate(spellings(inside.port)):
            if to.isprintable():
                code = (301, 302, 303, 307, 308)[number % 5]
                urls.append(public.serve(f"/{number}", b"", always=redirect(to, code)))
        told = await door(api, urls)

        assert len(public.requests) >= len(urls)
    assert inside.accepted == 0
    assert INSIDE not in told


@pytest.mark.parametrize("door", DOORS)
async def test_a_name_that_turns_inside_once_it_was_looked_at_leads_nowhere(
    api: Api, inside: Source, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: every other answer of the name server is an address inside."""
    changing = resolving(*[[PUBLIC], ["127.0.0.1"]] * 20)
    monkeypatch.setattr(socket, "getaddrinfo", changing)

    # Nothing is at the public address: only by the other one anything could come.
    told = await door(api, [f"http://rebind.test:{inside.port}/inside"] * 10)

    assert inside.accepted == 0
    assert INSIDE not in told


@pytest.mark.parametrize("door", DOORS)
async def test_answers_do_not_tell_what_is_open_inside(
    api: Api, inside: Source, door: Door
) -> None:
    """What is said of a port where somebody listens is what is said of one where nobody does."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        closed = reserved.getsockname()[1]
        told = [
            await door(api, [f"http://127.0.0.1:{port}/inside"]) for port in (inside.port, closed)
        ]

    assert inside.accepted == 0
    assert not any(b"onnect" in one for one in told), told
