"""Archives of very many files, and of one that no single copy can take."""

import asyncio
import io
import os
import zipfile
from pathlib import Path
from uuid import uuid4

import aiohttp
import httpx
import pytest
from isal.isal_zlib import crc32, crc32_combine

from penstock.stores.s3.calls import Calls
from penstock.stores.s3.documents import Part
from tests.conftest import StartServer
from tests.s3.archive_workers import StartWorkers, start_workers
from tests.s3.archiving import Archiving, put_objects, some_bytes
from tests.s3.files import MIB
from tests.s3.servers import S3Server
from tests.s3.uploads import calls_to

__all__ = ["start_workers"]

LARGE = "PENSTOCK_TEST_LARGE"
"""Set to 1 to run what takes minutes, 4 GiB of memory and 11 GiB of disk."""

GIB = 1 << 30
TIMES = 84
"""So often a source of 64 MiB: 5.25 GiB."""

pytestmark = [
    pytest.mark.skipif(LARGE not in os.environ, reason=f"set {LARGE}=1: takes minutes"),
    pytest.mark.slow,
    pytest.mark.timeout(1200),
]


async def test_a_hundred_thousand_files(
    start_server: StartServer,
    start_workers: StartWorkers,
    s3_server: S3Server,
    tmp_path: Path,
) -> None:
    if s3_server.kind == "swift":
        pytest.skip("Swift takes 10 ms for each small file")
    prefix, count = f"t/{uuid4().hex}", 100_000
    files = {f"f/{n % 100}/{n}.bin": some_bytes(1024, n) for n in range(count)}
    await put_objects(s3_server, prefix, files)
    settings = {**s3_server.settings(prefix), "data": tmp_path / "data"}
    server = start_server(settings["data"], **s3_server.settings(prefix), worker=False)
    worker = start_workers(settings, lease=None).start()

    async with aiohttp.ClientSession(server.url) as session:
        archiving = Archiving(session)
        archive = await archiving.made("f", seconds=900)
        peak = tell(worker.pid, archive["seconds"])
        fetched = await archiving.fetch(archive, tmp_path / "f.zip")

    await fetched.require(files)
    assert archive["members"] == count
    # What is known of the files is held twice while they are put in order.
    assert peak < 200 * MIB


async def test_a_file_of_more_than_5_gib_is_copied_in_parts(
    start_server: StartServer, s3_server: S3Server
) -> None:
    if s3_server.kind != "swift":
        pytest.skip("the other server keeps everything in memory")
    prefix, block = f"t/{uuid4().hex}", some_bytes(58 * MIB)
    block = (block + some_bytes(6 * MIB, 9))[: 64 * MIB]
    async with calls_to(s3_server) as calls:
        await put_objects(s3_server, prefix, {"block": block})
        await multiply(calls, f"{prefix}/block", f"{prefix}/f/huge.bin")
    server = start_server(**s3_server.settings(prefix))

    async with aiohttp.ClientSession(server.url) as session:
        archiving = Archiving(session)
        plan = await archiving.plan("f")
        archive = await archiving.made("f", seconds=900)
        peak = tell(server.process.pid, archive["seconds"])

    assert plan["size"] == archive["size"] > TIMES * 64 * MIB > 5 * GIB
    assert archive["copied"] == 2
    assert archive["usage"]["sent"] < 16 * MIB
    url = f"{server.url}{archive['archive']['url']}"
    with Ranged(url) as file, zipfile.ZipFile(file) as zipped:
        (info,) = zipped.infolist()
        assert (info.filename, info.file_size) == ("f/huge.bin", TIMES * 64 * MIB)
        assert crc32_of_blocks(block) == info.CRC
        with zipped.open(info) as member:
            assert member.read(1000) == block[:1000]
    assert await asyncio.to_thread(crc32_at, url) == archive["archive"]["crc32"]
    assert peak < 150 * MIB


def crc32_of_blocks(block: bytes) -> int:
    whole, one = 0, crc32(block)
    for _ in range(TIMES):
        whole = crc32_combine(whole, one, len(block))
    return whole


def crc32_at(url: str) -> str:
    value = 0
    with httpx.stream("GET", url, timeout=120) as answer:
        for data in answer.iter_raw(MIB):
            value = crc32(data, value)
    return f"{value:08x}"


async def multiply(calls: Calls, source: str, target: str) -> None:
    """An object that is another many times over, made by S3."""
    upload = await calls.create(target, {})
    head = await calls.head(source)
    places = asyncio.Semaphore(4)

    async def copy(number: int) -> Part:
        async with places:
            fields = {"x-amz-copy-source-if-match": f'"{head.etag}"'}
            return await calls.upload_part_copy(target, upload, number, source, fields)

    parts = await asyncio.gather(*(copy(number) for number in range(1, TIMES + 1)))
    await calls.complete(target, upload, parts, {}, work=600)


def tell(pid: int, seconds: float) -> int:
    """For who runs it by hand; answers the most memory that the process had."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(stat[11]) + int(stat[12])
    cpu = ticks / os.sysconf("SC_CLK_TCK")
    status = Path(f"/proc/{pid}/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) << 10
    print(f"{seconds:.1f} s, {cpu:.1f} s of CPU, {peak // MIB} MiB at most")  # noqa: T201
    return peak


class Ranged(io.RawIOBase):
    """A file behind a URL, read by ranges."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(timeout=120)
        self._url = url
        self._at = 0
        self._size = int(self._client.head(url).headers["Content-Length"])

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = self._size if size < 0 else min(self._at + size, self._size)
        if stop <= self._at:
            return b""
        fields = {"Range": f"bytes={self._at}-{stop - 1}"}
        data = self._client.get(self._url, headers=fields).content
        self._at += len(data)
        return data

    def close(self) -> None:
        self._client.close()
        super().close()
