"""Reading from a server that is not ours, and that breaks off by itself."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.peers.nginx import Nginx
from bench.peers.server import PeerMissing
from penstock.errors import SourceChanged
from penstock.remote import Remote
from tests.remote.gathering import everything, fetched


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "root").mkdir()
    try:
        with Nginx(folder / "root", folder / "scratch") as server:
            yield server
    except PeerMissing as missing:
        pytest.skip(str(missing))


def placed(nginx: Nginx, name: str, content: bytes) -> str:
    Path(nginx.root, name).write_bytes(content)
    return f"http://127.0.0.1:{nginx.port}/{name}"


async def test_a_file_of_nginx_is_described_and_read(
    remote: Remote, nginx: Nginx, film: bytes
) -> None:
    file = await remote.probe(placed(nginx, "film", film))

    assert (file.size, file.ranges, file.etag is not None) == (len(film), True, True)
    assert await everything(remote, file) == film
    assert await everything(remote, file, 1000, 900_000) == film[1000:900_000]


async def test_an_empty_file_of_nginx_is_read(remote: Remote, nginx: Nginx) -> None:
    assert await fetched(remote, placed(nginx, "empty", b"")) == b""


@pytest.mark.parametrize("size", [999_999, 1_000_003])
async def test_a_file_of_nginx_that_changes_is_found_out(
    remote: Remote, nginx: Nginx, film: bytes, size: int
) -> None:
    url = placed(nginx, "changing", film)
    file = await remote.probe(url)
    placed(nginx, "changing", film[::-1][:size])
    os.utime(nginx.root / "changing", (1, 1))

    with pytest.raises(SourceChanged):
        await everything(remote, file)


async def test_many_small_files_of_nginx_come_over_few_connections(
    remote: Remote, nginx: Nginx
) -> None:
    urls = [placed(nginx, f"small{number}", b"%d" % number) for number in range(100)]

    contents = await asyncio.gather(*(fetched(remote, url) for url in urls))

    assert contents == [b"%d" % number for number in range(100)]
