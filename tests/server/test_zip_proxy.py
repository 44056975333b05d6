"""Behind nginx: a ZIP that breaks is seen to break, also where nginx speaks HTTP/1.0."""

import random
from collections.abc import AsyncIterator, Iterator

import pytest

from bench.peers.nginx import Nginx
from bench.peers.server import PeerMissing
from tests.faults import Fault, Source, cut, faulty
from tests.server.asking import curl, python, verdict
from tests.serving import RunningServer

FILM = random.Random(2).randbytes(1_000_003)
WANTED = {"first": FILM[:50_000], "film": FILM, "last": FILM[-50_000:]}
CLIENTS = {"curl": curl, "python": python}

_LOCATIONS = """
location /1.0/ {{ proxy_http_version 1.0; proxy_pass {behind}/; }}
location /1.1/ {{ proxy_http_version 1.1; proxy_pass {behind}/; }}
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("proxy")
    behind = RunningServer(folder / "data", remote_allow="127.0.0.1", remote_tries=2)
    made = Nginx(folder, folder / "scratch")
    made.locations = _LOCATIONS.format(behind=behind.url)
    try:
        with made:
            yield made
    except PeerMissing as missing:
        pytest.skip(str(missing))
    finally:
        assert behind.stop() == 0


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        for name, content in WANTED.items():
            made.serve(f"/{name}", content, etag='"v1"')
        yield made


@pytest.mark.parametrize(
    ("version", "spec", "breaks", "expected"),
    [
        ("1.0", {}, False, "whole"),
        ("1.0", {}, True, "broken"),
        ("1.0", {"compress": "deflate"}, False, "505"),
        ("1.0", {"on_error": "report"}, False, "505"),
        ("1.1", {}, True, "broken"),
        ("1.1", {"compress": "deflate"}, False, "whole"),
        ("1.1", {"compress": "deflate"}, True, "broken"),
        ("1.1", {"on_error": "report"}, False, "whole"),
        ("1.1", {"on_error": "report"}, True, "without film"),
    ],
)
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_break_is_seen_through_a_proxy(
    proxy: Nginx,
    source: Source,
    client: str,
    version: str,
    spec: dict[str, str],
    breaks: bool,
    expected: str,
) -> None:
    if breaks:
        source.serve("/film", FILM, head_faults=[Fault()], always=cut(700_000))
    urls = [f"{source.url}/{name}" for name in WANTED]

    url = f"http://127.0.0.1:{proxy.port}/{version}/v1/zip"
    came = await CLIENTS[client](url, {"urls": urls, **spec})

    assert verdict(came, WANTED) == expected, came.error
