"""A remote URL must not lead into the networks that this machine is in, however it is written."""

import socket
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from penstock.errors import BadRequest, PenstockError, RemoteRefused, SourceFailed
from penstock.remote import Remote, RemoteLimits
from penstock.remote.addresses import is_public, parse_address
from penstock.remote.guard import Door
from tests.faults import Source, cut, faulty
from tests.remote.gathering import everything

V1 = '"v1"'


@pytest.fixture
async def strict() -> AsyncIterator[Remote]:
    """As it is without settings: nothing private, at the web's ports only."""
    made = Remote(RemoteLimits())
    yield made
    await made.close()


PRIVATE = [
    "http://127.0.0.1/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:10.0.0.1]/",
    "http://[::127.0.0.1]/",
    "http://0.0.0.0/",
    "http://0/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://192.0.0.8/",
    "http://192.0.2.1/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[fc00::1]/",
    "http://[fd12:3456::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25lo]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a00:1]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a00:1::1]/",
    "http://[2001:0:7f00:1::1]/",
    "http://[2001:0:4136:e378:8000:63bf:f5ff:fffe]/",
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://127.0.0.1./",
    "http://１２７.0.0.1/",
    "http://ⓛocalhost/",
    "http://example.org@127.0.0.1/",
    "http://example.org:80@127.0.0.1/",
    "http://example.org%2F@127.0.0.1/",
    "https://127.0.0.1/",
]


@pytest.mark.parametrize("url", PRIVATE)
async def test_what_is_not_public_is_refused(strict: Remote, url: str) -> None:
    with pytest.raises(RemoteRefused):
        await strict.probe(url)


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_what_is_public_may_be_reached_in_all_its_forms(text: str) -> None:
    address = parse_address(text)

    assert address is not None
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/",
        "gopher://127.0.0.1:25/_HELO",
        "unix:///run/docker.sock",
        "data:text/plain,hello",
        "//127.0.0.1/",
        "127.0.0.1",
        "/etc/passwd",
        "",
        "http://",
        "http:///path",
        "http://[::1",
        "http://example.org:99999/",
        "http://example.org:http/",
        "http://example.org\\@127.0.0.1/",
        "http://%31%32%37.0.0.1/",
        "http://exa mple.org/",
        "http://" + "a" * 64 + ".org/",
        "http://" + "a." * 150 + "org/",
    ],
)
async def test_what_is_not_a_url_of_the_web_is_refused(remote: Remote, url: str) -> None:
    with pytest.raises(BadRequest):
        await remote.probe(url)


@pytest.mark.parametrize(
    "url", ["http://192.0.43.8:22/", "http://[2600::1]:6379/", "http://8.8.8.8:0/"]
)
async def test_other_ports_than_those_of_the_web_are_refused(strict: Remote, url: str) -> None:
    with pytest.raises(RemoteRefused, match="port"):
        await strict.probe(url)


async def test_nothing_is_said_about_the_address_that_a_name_has(strict: Remote) -> None:
    with pytest.raises(RemoteRefused) as refused:
        await strict.probe("http://localhost:8080/secret?key=1")
    assert "127.0.0.1" not in refused.value.detail
    assert "::1" not in refused.value.detail
    assert "is not a public address" in refused.value.detail


async def test_refused_servers_see_no_connection(source: Source) -> None:
    remote = Remote(RemoteLimits(allow="127.0.0.2", ports=(source.port,)))

    # Not every resolver knows a name with a dot at its end: then it leads nowhere.
    for host in ("127.0.0.1", "localhost", "localhost.", "[::ffff:127.0.0.1]"):
        with pytest.raises(RemoteRefused if host != "localhost." else PenstockError):
            await remote.probe(f"http://{host}:{source.port}/")
    assert source.accepted == 0
    await remote.close()


@pytest.mark.parametrize(
    ("allow", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.0/8", "127.0.0.1"),
        ("localhost", "localhost"),
        ("LocalHost.", "localhost"),
        ("localhost", "LOCALHOST"),
        ("127.0.0.1,::1", "localhost"),
        ("example.org, 127.0.0.1", "[::ffff:127.0.0.1]"),
    ],
)
async def test_what_the_operator_names_may_be_reached(
    source: Source, allow: str, host: str
) -> None:
    remote = Remote(RemoteLimits(allow=allow))
    source.serve("/a", b"abc", etag=V1)

    assert (await remote.probe(f"http://{host}:{source.port}/a")).size == 3
    await remote.close()


async def test_a_named_host_does_not_open_its_address_to_others(source: Source) -> None:
    remote = Remote(RemoteLimits(allow="localhost"))
    source.serve("/a", b"abc", etag=V1)
    await remote.probe(f"http://localhost:{source.port}/a")

    with pytest.raises(RemoteRefused):
        await remote.probe(f"http://127.0.0.1:{source.port}/a")
    await remote.close()


Resolves = Callable[..., list[tuple[object, ...]]]


def resolving(*answers: list[str]) -> Resolves:
    """A resolver whose answers for ``rebind.test`` change, the last of them for good."""
    real, left = socket.getaddrinfo, list(answers)

    def resolve(
        host: str, port: object, *args: object, **options: object
    ) -> list[tuple[object, ...]]:
        if host != "rebind.test":
            return real(host, port, *args, **options)  # type: ignore[arg-type,return-value]
        addresses = left.pop(0) if len(left) > 1 else left[0]
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET, kind, socket.IPPROTO_TCP, "", (a, 0)) for a in addresses]

    return resolve


async def test_a_name_that_turns_to_another_address_is_refused_there(
    remote: Remote, monkeypatch: pytest.MonkeyPatch, film: bytes
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving(["127.0.0.1"], ["127.0.0.2"]))
    async with faulty() as public, faulty(host="127.0.0.2", port=public.port) as private:
        public.serve("/film", film, etag=V1, faults=[cut(300_000)])
        private.serve("/film", film, etag=V1)
        file = remote.taken_as(f"http://rebind.test:{public.port}/film", {}, len(film))

        with pytest.raises(RemoteRefused):
            await everything(remote, file)
        assert (public.accepted, private.accepted) == (1, 0)


async def test_the_address_that_was_checked_is_connected_to(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is looked up once for a connection: there is no second answer to fall for."""
    monkeypatch.setattr(socket, "getaddrinfo", resolving(["127.0.0.1"], ["127.0.0.2"]))
    async with faulty() as public, faulty(host="127.0.0.2", port=public.port) as private:
        public.serve("/a", b"abc", etag=V1)

        await remote.probe(f"http://rebind.test:{public.port}/a")

        assert (public.accepted, private.accepted) == (1, 0)


async def test_one_private_address_among_public_ones_is_enough(
    remote: Remote, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving(["127.0.0.1", "127.0.0.2"]))

    with pytest.raises(RemoteRefused):
        await remote.probe(f"http://rebind.test:{source.port}/")
    assert source.accepted == 0


async def test_the_socket_is_checked_even_if_the_look_up_was_not(
    strict: Remote, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unchecked(self: Door, host: str, port: int = 0, family: int = 0) -> list[object]:
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": port,
                "family": 2,
                "proto": 6,
                "flags": 0,
            }
        ]

    monkeypatch.setattr(Door, "resolve", unchecked)

    with pytest.raises(RemoteRefused):
        await strict.probe(f"http://example.org:{source.port}/")
    assert source.accepted == 0


async def test_the_environments_proxy_and_credentials_are_not_used(
    remote: Remote, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with faulty() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        await remote.probe(source.serve("/a", b"abc", etag=V1))

        assert (proxy.accepted, source.accepted) == (0, 1)


async def test_a_slow_look_up_is_given_up(
    limits: RemoteLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    def slow(*_: object, **__: object) -> list[object]:
        answered.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    impatient = Remote(replace(limits, connect_timeout=0.1, answer_timeout=0.1, tries=1))
    try:
        with pytest.raises(SourceFailed, match="in time"):
            await impatient.probe("http://slow.test/")
    finally:
        answered.set()
        await impatient.close()
