"""``penstock doctor --through`` tells what a real proxy does to transfers, and how to mend it."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from bench.peers.server import PeerMissing, Server
from penstock.doctor import Finding, State
from penstock.doctor.through import Through
from tests.cli.proxies import Caddy, nginx, written
from tests.cli.running import Cli
from tests.faults import faulty
from tests.serving import RunningServer

BUFFERING = "uploads are passed on while they come"
PROTOCOL = "HTTP/1.1 to the server"


@contextmanager
def running(proxy: Server) -> Iterator[str]:
    """Where the proxy is reached, while the block runs."""
    try:
        with proxy:
            yield f"http://127.0.0.1:{proxy.port}"
    except PeerMissing as missing:
        pytest.skip(str(missing))


def looked(url: str) -> dict[str, Finding]:
    """The findings by name, without a process of their own."""

    async def look() -> dict[str, Finding]:
        return {finding.name: finding async for finding in Through(url).findings()}

    return asyncio.run(look())


def states(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: finding.state for name, finding in findings.items()}


def wrong(findings: dict[str, Finding]) -> set[str]:
    told_off = (State.WARNING, State.BROKEN)
    return {name for name, finding in findings.items() if finding.state in told_off}


def stored(server: RunningServer) -> list[object]:
    with urlopen(f"{server.url}/v1/files") as answer:
        told = json.load(answer)
    return [*told["files"], *told["prefixes"]]


def test_nothing_is_wrong_without_a_proxy(penstock: Cli, server: RunningServer) -> None:
    ran = penstock("doctor", "--json", "--through", server.url)

    told = [each for each in ran.messages if each["message_type"] == "finding"]
    assert (ran.code, {each["state"] for each in told}) == (0, {"ok"}), ran.out
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
    ],
)
def test_each_fault_is_told_with_its_remedy(
    tmp_path: Path, server: RunningServer, changed: str, to: str, name: str, text: str
) -> None:
    config = written("nginx", server).replace(changed, to)
    with running(nginx(tmp_path, config)) as url:
        findings = looked(url)

    assert wrong(findings) == {name}, findings
    assert text in findings[name].text


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
