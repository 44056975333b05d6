"""``penstock doctor --through`` tells what a real proxy does to transfers, and how to mend it."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest

from bench.peers.server import PeerMissing, Server
from penstock.doctor import Finding, State
from penstock.doctor.through import Through
from penstock.doctor.through.exchange import Front
from penstock.errors import ServerUnavailable
from tests.cli.proxies import Caddy, nginx, written
from tests.cli.running import Cli
from tests.faults import faulty
from tests.serving import RunningServer

PASSWORD = "open sesame: 1/2"
BUFFERING = "uploads are passed on while they come"
PAUSING = "answers that pause"
PROTOCOL = "HTTP/1.1 to the server"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that asks who comes, as one behind a proxy should."""
    data = tmp_path_factory.mktemp("guarded") / "data"
    made = RunningServer(data, access="on", dashboard_password=PASSWORD)
    try:
        yield made
    finally:
        assert made.stop() == 0


def with_login(url: str) -> str:
    """The address with the operator's login in it."""
    return url.replace("//", f"//admin:{quote(PASSWORD, safe='')}@")


@contextmanager
def running(proxy: Server) -> Iterator[str]:
    """Where the proxy is reached, while the block runs, with the operator's login."""
    try:
        with proxy:
            yield with_login(f"http://127.0.0.1:{proxy.port}")
    except PeerMissing as missing:
        pytest.skip(str(missing))


def looked(url: str, pause: float = 0.0) -> dict[str, Finding]:
    """The findings by name, without a process of their own."""

    async def look() -> dict[str, Finding]:
        through = Through(url, pause=pause)
        return {finding.name: finding async for finding in through.findings()}

    return asyncio.run(look())


def states(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: finding.state for name, finding in findings.items()}


def wrong(findings: dict[str, Finding]) -> set[str]:
    told_off = (State.WARNING, State.BROKEN)
    return {name for name, finding in findings.items() if finding.state in told_off}


def stored(server: RunningServer) -> list[object]:
    login = b64encode(f"admin:{PASSWORD}".encode()).decode()
    asked = Request(f"{server.url}/v1/files", headers={"Authorization": f"Basic {login}"})
    with urlopen(asked) as answer:
        told = json.load(answer)
    return [*told["files"], *told["prefixes"]]


def test_nothing_is_wrong_without_a_proxy(penstock: Cli, server: RunningServer) -> None:
    ran = penstock("doctor", "--json", "--through", with_login(server.url))

    told = [each for each in ran.messages if each["message_type"] == "finding"]
    assert (ran.code, {each["state"] for each in told}) == (0, {"ok"}), ran.out
    assert PASSWORD not in ran.out.decode()
    assert quote(PASSWORD, safe="") not in ran.out.decode()
    assert stored(server) == []


def test_nginx_as_it_is_by_itself_is_told_off(server: RunningServer, tmp_path: Path) -> None:
    with running(nginx(tmp_path, f"client_max_body_size 1m;\n{_passed(server)}")) as url:
        findings = looked(url)

    assert wrong(findings) == {"Host", PROTOCOL, "size of uploads", BUFFERING, "links"}
    assert "2 MiB are refused" in findings["size of uploads"].text
    assert "proxy_request_buffering off" in findings[BUFFERING].text
    assert "proxy_http_version 1.1" in findings[PROTOCOL].text
    assert "proxy_set_header Host" in findings["Host"].text
    assert stored(server) == []


def test_nginx_as_the_page_has_it_is_well(server: RunningServer, tmp_path: Path) -> None:
    with running(nginx(tmp_path, written("nginx", server))) as url:
        findings = looked(url)

    assert wrong(findings) == set(), findings
    assert len(findings) > 10


def test_caddy_as_the_page_has_it_is_well(server: RunningServer, tmp_path: Path) -> None:
    with running(Caddy(tmp_path, written("caddy", server))) as url:
        findings = looked(url)

    assert set(states(findings).values()) == {"ok"}, findings


def test_caddy_as_it_is_by_itself_changes_what_passes(
    server: RunningServer, tmp_path: Path
) -> None:
    by_itself = f"{Caddy.site} {{\n\treverse_proxy {server.url.removeprefix('http://')}\n}}\n"
    with running(Caddy(tmp_path, by_itself)) as url:
        findings = looked(url)

    assert wrong(findings) == {"versions (ETag)", "ranges"}
    assert "compression off" in findings["ranges"].text


@pytest.mark.parametrize(
    ("changed", "to", "name", "text"),
    [
        ("gzip off;", "gzip on; gzip_proxied any;", "versions (ETag)", "gzip off"),
        ("location", "large_client_header_buffers 4 4k; location", "long requests", "4 16k"),
        (
            "proxy_http_version 1.1;",
            'proxy_http_version 1.1; proxy_set_header Connection "";',
            "104 Upload Resumption Supported",
            "leave proxy_set_header Connection",
        ),
        ("proxy_read_timeout 1h;", "proxy_read_timeout 1s;", PAUSING, "proxy_read_timeout"),
    ],
)
def test_each_fault_is_told_with_its_remedy(
    tmp_path: Path, server: RunningServer, changed: str, to: str, name: str, text: str
) -> None:
    config = written("nginx", server).replace(changed, to, 1)
    with running(nginx(tmp_path, config)) as url:
        findings = looked(url, pause=3.0 if name == PAUSING else 0.0)

    assert wrong(findings) == {name}, findings
    assert text in findings[name].text


def test_a_pause_does_no_harm_with_the_page(server: RunningServer, tmp_path: Path) -> None:
    with running(nginx(tmp_path, written("nginx", server))) as url:
        findings = looked(url, pause=1.5)

    assert findings[PAUSING].state == State.OK
    assert "1.5 s does no harm" in findings[PAUSING].text


def test_what_cannot_be_removed_again_is_told(server: RunningServer, tmp_path: Path) -> None:
    fixed = written("nginx", server).replace(
        "proxy_pass", "if ($request_method = DELETE) { return 403; }\nproxy_pass", 1
    )
    with running(nginx(tmp_path, fixed)) as url:
        findings = looked(url)
        cleaned = Cli(with_login(server.url), tmp_path)("rm", "-r", "/")
    assert (cleaned.code, stored(server)) == (0, [])

    told = next(each for name, each in findings.items() if name.startswith("server at"))
    assert (told.state, "DELETE is answered 403" in told.text) == (State.BROKEN, True), findings


def test_a_proxy_before_a_server_that_asks_nobody_is_told(tmp_path: Path) -> None:
    open_to_all = RunningServer(tmp_path / "data")
    try:
        with running(nginx(tmp_path, written("nginx", open_to_all))) as url:
            behind = looked(url)
        alone = looked(open_to_all.url)
    finally:
        open_to_all.stop()

    assert wrong(behind) == {"access"}, behind
    assert wrong(alone) == set(), alone


async def test_an_answer_in_chunks_that_is_cut_off_is_no_end() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nPK\r\n")
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as peer:
        port = peer.sockets[0].getsockname()[1]
        with pytest.raises(ServerUnavailable, match="broke off"):
            await Front(f"http://127.0.0.1:{port}", None).call("GET", "/")


async def test_what_is_no_penstock_is_told() -> None:
    async with faulty() as other:
        findings = [finding async for finding in Through(other.url).findings()]

    assert [finding.state for finding in findings] == ["broken"]
    assert "no Penstock" in findings[0].text


def test_nobody_at_the_address_is_told() -> None:
    (finding,) = looked("http://127.0.0.1:1").values()

    assert (finding.state, "cannot be reached" in finding.text) == ("broken", True)


def _passed(server: RunningServer) -> str:
    return f"location / {{ proxy_pass {server.url}; }}"
