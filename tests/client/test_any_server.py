"""Downloads from servers that are not ours, and from links that expire."""

import asyncio
import hashlib
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.peers.nginx import Nginx
from bench.peers.server import PeerMissing, Server
from penstock.client import Client
from penstock.errors import Forbidden, PenstockError
from tests.cli.running import COMMAND
from tests.client.downloading import (
    FILM,
    KIB,
    OTHER,
    beside,
    client,
    leave_a_part,
    plain,
    small_sizes,
    target,
)
from tests.client.proxy import proxy_to
from tests.faults import faulty

__all__ = ["client", "plain", "small_sizes", "target"]

# nginx


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """One that allows two connections to ``few/``, one to ``fewer/``, and is slow at ``slow/``."""
    folder = tmp_path_factory.mktemp("nginx")
    root = folder / "root"
    root.mkdir()
    (root / "film").write_bytes(FILM)
    (root / "empty").write_bytes(b"")
    made = Nginx(root, folder / "scratch")
    made.beside = "limit_conn_zone $server_port zone=all:1m;"
    made.locations = f"""
        location /few/ {{ alias {root}/; limit_conn all 2; }}
        location /fewer/ {{ alias {root}/; limit_conn all 1; limit_conn_status 429; }}
        location /slow/ {{ alias {root}/; limit_rate 400k; }}
    """
    try:
        with made:
            yield made
    except PeerMissing as missing:
        pytest.skip(str(missing))


def at(nginx: Nginx, path: str) -> str:
    return f"http://127.0.0.1:{nginx.port}{path}"


@pytest.mark.parametrize("path", ["/film", "/few/film", "/fewer/film", "/slow/film"])
async def test_a_file_of_nginx(client: Client, nginx: Nginx, target: Path, path: str) -> None:
    info = await client.download(at(nginx, path), target)

    assert target.read_bytes() == FILM
    assert (info.size, info.sha256) == (len(FILM), hashlib.sha256(FILM).hexdigest())
    assert beside(target) == ["film"]


async def test_an_empty_file_of_nginx(client: Client, nginx: Nginx, target: Path) -> None:
    await client.download(at(nginx, "/empty"), target)

    assert target.read_bytes() == b""


async def test_a_broken_download_from_nginx_goes_on(
    client: Client, nginx: Nginx, target: Path
) -> None:
    async with proxy_to(at(nginx, "")) as proxy:
        proxy.cut_answers = [200 * KIB, 100 * KIB, 50 * KIB]

        await client.download(f"{proxy.url}/film", target)

    assert target.read_bytes() == FILM
    assert proxy.answered < len(FILM) + 200 * KIB


async def test_a_later_call_goes_on_by_the_etag_of_nginx(
    client: Client, nginx: Nginx, target: Path
) -> None:
    async with proxy_to(at(nginx, "")) as proxy:
        await leave_a_part(proxy, "/film", target)

        await client.download(f"{proxy.url}/film", target)

    assert target.read_bytes() == FILM
    assert proxy.answered < len(FILM) - 100 * KIB


async def test_a_file_of_nginx_that_changed_meanwhile_is_not_mixed(
    client: Client, nginx: Nginx, target: Path
) -> None:
    path = Path(nginx.root, "changing")
    path.write_bytes(FILM)
    async with proxy_to(at(nginx, "")) as proxy:
        await leave_a_part(proxy, "/changing", target)
        path.write_bytes(OTHER)
        os.utime(path, (1, 1))

        await client.download(f"{proxy.url}/changing", target)

    assert target.read_bytes() == OTHER


# Caddy


class Caddy(Server):
    """``caddy file-server``."""

    name = "caddy"

    def command(self) -> list[str]:
        if shutil.which("caddy") is None:
            raise PeerMissing("caddy is not installed; on Debian: apt install caddy")
        listen = f"127.0.0.1:{self.port}"
        return ["caddy", "file-server", "--root", str(self.root), "--listen", listen]

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.scratch), "XDG_DATA_HOME": str(self.scratch)}


@pytest.fixture(scope="module")
def caddy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its URL."""
    folder = tmp_path_factory.mktemp("caddy")
    (folder / "film").write_bytes(FILM)
    try:
        with Caddy(folder, folder / "scratch") as running:
            yield f"http://127.0.0.1:{running.port}"
    except PeerMissing as missing:
        pytest.skip(str(missing))


async def test_a_broken_download_from_caddy_goes_on(
    client: Client, caddy: str, target: Path
) -> None:
    async with proxy_to(caddy) as proxy:
        proxy.cut_answers = [200 * KIB, 100 * KIB, 50 * KIB]

        await client.download(f"{proxy.url}/film", target)

    assert target.read_bytes() == FILM
    assert proxy.answered < len(FILM) + 200 * KIB


# Python's own server: HTTP/1.0, Last-Modified, no ranges


@contextmanager
def http_server(folder: Path) -> Iterator[str]:
    """``python -m http.server`` in a thread; its URL."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

        def copyfile(self, source: Any, outputfile: Any) -> None:
            with suppress(ConnectionError):  # the client has left
                super().copyfile(source, outputfile)

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


async def test_a_file_of_pythons_http_server(client: Client, tmp_path: Path, target: Path) -> None:
    (tmp_path / "film").write_bytes(FILM)
    with http_server(tmp_path) as url:
        await client.download(f"{url}/film", target)

    assert target.read_bytes() == FILM


async def test_without_ranges_a_broken_download_begins_again(
    client: Client, tmp_path: Path, target: Path
) -> None:
    (tmp_path / "film").write_bytes(FILM)
    with http_server(tmp_path) as url:
        async with proxy_to(url) as proxy:
            proxy.cut_answers = [300 * KIB, 200 * KIB]

            await client.download(f"{proxy.url}/film", target)

    assert target.read_bytes() == FILM


# Links that are signed and expire, as those of S3


class Bucket:
    """``/link`` leads to an object by a signature that is good for ``uses`` GETs, and no HEAD."""

    def __init__(self, path: Path, uses: int) -> None:
        self._path = path
        self._uses = uses
        self._left: dict[str, int] = {}

    @property
    def signed(self) -> int:
        """How many links have been given out."""
        return len(self._left)

    def sign(self) -> str:
        """A new link."""
        signature = f"{len(self._left):08x}"
        self._left[signature] = self._uses
        return f"/object?X-Amz-Expires=60&X-Amz-Signature={signature}"

    async def link(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(self.sign())

    async def object(self, request: web.Request) -> web.StreamResponse:
        signature = request.query["X-Amz-Signature"]
        if request.method != "GET" or not self._left[signature]:
            text = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
            return web.Response(status=403, text=text, content_type="application/xml")
        self._left[signature] -= 1
        return web.FileResponse(self._path)


@asynccontextmanager
async def serving(bucket: Bucket) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/link", bucket.link)
    app.router.add_get("/object", bucket.object)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    (tmp_path / "object").write_bytes(FILM)
    return Bucket(tmp_path / "object", uses=3)


async def test_a_signed_link_works_though_it_is_for_get_alone(
    plain: Client, bucket: Bucket, target: Path
) -> None:
    async with serving(bucket) as url:
        await plain.download(url + bucket.sign(), target)

    assert target.read_bytes() == FILM


async def test_a_link_that_expires_is_renewed_where_it_came_from(
    client: Client, bucket: Bucket, target: Path
) -> None:
    async with serving(bucket) as url, proxy_to(url) as proxy:
        proxy.cut_answers = [60 * KIB] * 8

        await client.download(f"{proxy.url}/link", target)

    assert target.read_bytes() == FILM
    assert bucket.signed > 1


async def test_a_link_that_expired_and_cannot_be_renewed_is_told(
    plain: Client, bucket: Bucket, target: Path
) -> None:
    async with serving(bucket) as url, proxy_to(url) as proxy:
        proxy.cut_answers = [60 * KIB] * 8

        with pytest.raises(Forbidden):
            await plain.download(proxy.url + bucket.sign(), target)

    assert not target.exists()


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody has signed, for 127.0.0.1; with its key."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    names = ("-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1")
    made = ("-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names)
    try:
        told = subprocess.run(
            ["openssl", "req", *made, "-keyout", "-", "-out", "-"], capture_output=True, check=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    path.write_bytes(told.stdout)
    return path


def tls_of(certificate: Path) -> ssl.SSLContext:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    return tls


async def test_a_certificate_that_ssl_cert_file_names_is_trusted(
    certificate: Path, target: Path
) -> None:
    async with faulty(tls=tls_of(certificate)) as source:
        url = source.serve("/film", FILM, etag='"v1"')

        code, said = await get(url, "-o", str(target), SSL_CERT_FILE=str(certificate))

    assert (code, said) == (0, "")
    assert target.read_bytes() == FILM


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    certificate: Path, plain: Client, target: Path
) -> None:
    async with faulty(tls=tls_of(certificate)) as source:
        url = source.serve("/film", FILM, etag='"v1"')

        with pytest.raises(PenstockError, match="certificate"):
            await plain.download(url, target)

    assert source.requests == []
    assert beside(target) == []


# The console command


async def get(*words: str, **variables: str) -> tuple[int | None, str]:
    """Exit code and errors of ``penstock get``."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *("get", "--quiet", *words),
        env={**os.environ, **variables},
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, said.decode()


async def test_the_command_names_a_file_as_its_url_does(nginx: Nginx, target: Path) -> None:
    code, said = await get(at(nginx, "/film?size=large"), "-o", f"{target.parent}/")

    assert (code, said) == (0, "")
    assert target.read_bytes() == FILM


async def test_the_command_refuses_what_has_another_digest(nginx: Nginx, target: Path) -> None:
    code, said = await get(at(nginx, "/film"), "-o", str(target), "--sha256", "0" * 64)

    assert code == 7
    assert said.startswith("penstock: error: ")
    assert beside(target) == []
