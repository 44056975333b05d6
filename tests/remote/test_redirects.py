"""Redirects are followed one by one, each as if it had been asked for."""

import shutil
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.errors import RemoteRefused, SourceFailed
from penstock.remote import Remote, RemoteLimits
from tests.faults import Source, cut, faulty, redirect, status
from tests.remote.gathering import fetched

V1 = '"v1"'


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(
    remote: Remote, source: Source, film: bytes, code: int
) -> None:
    url = source.serve("/old", b"", always=redirect("new?key=1", code))
    source.serve("/new", film, etag=V1, faults=[cut(300_000)])

    assert await fetched(remote, url) == film
    assert source.requests[1].path == "/new?key=1"


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2/",
        "//10.0.0.1/",
        "http://169.254.169.254/latest/",
        "http://[::1]/",
        "http://2130706433/",
        "http://user@127.0.0.3/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
    ],
)
async def test_a_redirect_to_where_we_must_not_go_is_refused(
    remote: Remote, source: Source, location: str
) -> None:
    url = source.serve("/a", b"", always=redirect(location))

    with pytest.raises(RemoteRefused) as refused:
        await remote.probe(url)
    assert url in refused.value.detail  # the caller's own, not where that leads
    assert "169.254" not in refused.value.detail


async def test_what_is_no_redirect_is_told(remote: Remote, source: Source) -> None:
    with pytest.raises(SourceFailed, match="HTTP 302 without"):
        await remote.probe(source.serve("/a", b"", always=status(302)))


async def test_a_loop_of_redirects_ends(remote: Remote, source: Source) -> None:
    source.serve("/a", b"", always=redirect("/b"))
    url = source.serve("/b", b"", always=redirect("/a"))

    with pytest.raises(SourceFailed, match="more than 5 times"):
        await remote.probe(url)
    assert len(source.requests) == 6


async def test_as_many_redirects_as_allowed_are_followed(remote: Remote, source: Source) -> None:
    for number in range(5):
        source.serve(f"/{number}", b"", always=redirect(f"/{number + 1}"))
    source.serve("/5", b"abc", etag=V1)

    assert (await remote.probe(source.url + "/0")).size == 3


async def test_what_was_told_one_origin_is_not_told_another(
    remote: Remote, source: Source, film: bytes
) -> None:
    secrets = {"Authorization": "Bearer secret", "X-Key": "secret", "Cookie": "a=secret"}
    async with faulty() as other:
        source.serve("/a", b"", always=redirect("/b"))
        source.serve("/b", b"", always=redirect(other.serve("/c", film, etag=V1)))

        await remote.probe(source.url + "/a", secrets)

        assert [seen.headers.get("authorization") for seen in source.requests] == [
            "Bearer secret"
        ] * 2
        assert "secret" not in str(other.requests)


async def test_who_comes_back_brings_no_secrets(remote: Remote, source: Source) -> None:
    async with faulty() as other:
        other.serve("/b", b"", always=redirect(source.serve("/c", b"abc", etag=V1)))
        source.serve("/a", b"", always=redirect(other.url + "/b"))

        await remote.probe(source.url + "/a", {"X-Key": "secret"})

        assert ["x-key" in seen.headers for seen in source.requests] == [True, False]


async def test_credentials_in_a_redirect_are_not_taken(remote: Remote, source: Source) -> None:
    source.serve("/b", b"abc", etag=V1)
    to = source.url.replace("//", "//user:pass@") + "/b"

    await remote.probe(source.serve("/a", b"", always=redirect(to)))

    assert all("authorization" not in seen.headers for seen in source.requests)


async def test_no_cookie_is_kept(limits: RemoteLimits, source: Source) -> None:
    remote = Remote(replace(limits, allow="localhost"))
    source.serve("/a", b"abc", etag=V1, headers={"Set-Cookie": "a=b; Path=/"})

    await fetched(remote, f"http://localhost:{source.port}/a")
    await remote.close()

    assert all("cookie" not in seen.headers for seen in source.requests)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that nobody but its owner trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    names = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def served_with(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


async def test_https_is_read_and_resumed(
    limits: RemoteLimits, served_with: ssl.SSLContext, trusting: ssl.SSLContext, film: bytes
) -> None:
    remote = Remote(limits, tls=trusting)
    async with faulty(tls=served_with) as source:
        url = source.serve("/film", film, etag=V1, faults=[cut(300_000)])

        assert await fetched(remote, url) == film
        await remote.close()
        await source.all_closed()


async def test_a_read_of_https_that_is_closed_leaves_no_connection(
    limits: RemoteLimits, served_with: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    remote = Remote(limits, tls=trusting)
    async with faulty(tls=served_with) as source:
        file = await remote.probe(source.serve("/film", bytes(32 << 20), etag=V1))
        pieces = remote.read(file)
        await anext(pieces)

        await pieces.aclose()

        await source.all_closed()
        await remote.close()


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    remote: Remote, served_with: ssl.SSLContext
) -> None:
    async with faulty(tls=served_with) as source:
        with pytest.raises(SourceFailed, match="certificate"):
            await remote.probe(source.serve("/a", b"abc"))
        assert not source.requests


async def test_https_does_not_lead_to_http(
    limits: RemoteLimits, served_with: ssl.SSLContext, trusting: ssl.SSLContext, source: Source
) -> None:
    remote = Remote(limits, tls=trusting)
    async with faulty(tls=served_with) as safe:
        safe.serve("/a", b"", always=redirect(source.serve("/a", b"abc")))

        with pytest.raises(RemoteRefused, match="from https to http"):
            await remote.probe(safe.url + "/a")
        assert source.accepted == 0
        await remote.close()
