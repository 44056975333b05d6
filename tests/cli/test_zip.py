"""``penstock zip`` with the files of other servers: what a person and a script see."""

import asyncio
import os
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.cli.running import Cli, Ran, kinds
from tests.client.fetching import DYING, UNSIZED, fetching_server
from tests.faults import Source, faulty
from tests.serving import RunningServer

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    yield from fetching_server(tmp_path_factory)


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


async def run(penstock: Cli, *arguments: str) -> Ran:
    """Run a command while the source, which lives in the test's loop, goes on."""
    return await asyncio.to_thread(penstock, *arguments)


def unzipped(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


async def test_urls_keys_and_folders_in_one(penstock: Cli, source: Source) -> None:
    for key in ("one/a.txt", "one/deep/b.txt", "c.txt"):
        await asyncio.to_thread(penstock, "put", "-", "--to", key, stdin=key.encode())
    url = source.serve("/film.mkv", bytes(MIB))

    ran = await run(penstock, "zip", url, "one/", "c.txt", "-o", "all.zip")

    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == ["all.zip  1.0 MiB  4 files"]
    assert unzipped(penstock.folder / "all.zip") == {
        "c.txt": b"c.txt",
        "one/a.txt": b"one/a.txt",
        "one/deep/b.txt": b"one/deep/b.txt",
        "film.mkv": bytes(MIB),
    }


async def test_a_zip_of_unknown_length_to_standard_output(penstock: Cli, source: Source) -> None:
    content = os.urandom(3 * MIB)
    url = source.serve("/film.mkv", content, always=UNSIZED)

    ran = await run(penstock, "zip", url, "-o", "-")

    (penstock.folder / "out.zip").write_bytes(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert unzipped(penstock.folder / "out.zip") == {"film.mkv": content}


async def test_compression_is_chosen(penstock: Cli, source: Source) -> None:
    url = source.serve("/text.txt", b"".join(b"%d, " % n for n in range(200_000)))
    choices = [("store", []), ("auto", []), ("deflate", ["--level", "best"])]

    for compress, more in choices:
        out = f"{compress}.zip"
        ran = await run(penstock, "zip", url, "-o", out, "--compress", compress, *more)
        assert ran.code == 0

    sizes = [os.path.getsize(penstock.folder / f"{compress}.zip") for compress, _ in choices]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


async def test_headers_go_with_every_url(penstock: Cli, source: Source) -> None:
    urls = [source.serve("/a", b"a"), source.serve("/b", b"b")]
    headers = ["--header", "Authorization: Bearer one:two", "--header", "X-Key:k"]

    ran = await run(penstock, "zip", *urls, *headers, "-o", "x.zip")

    assert ran.code == 0
    assert {
        (request.headers.get("authorization"), request.headers.get("x-key"))
        for request in source.requests
    } == {("Bearer one:two", "k")}


async def test_every_url_that_cannot_be_fetched_is_named(penstock: Cli, source: Source) -> None:
    urls = [source.serve("/a", b"a"), f"{source.url}/b", f"{source.url}/c?sig=secret"]

    ran = await run(penstock, "zip", *urls, "-o", "x.zip")

    assert ran.code == 5
    assert ran.err.startswith("penstock: error: 2 of the URLs cannot be fetched")
    assert ran.err.splitlines()[1:] == [
        f"  {source.url}/b: HTTP 404",
        f"  {source.url}/c: HTTP 404",
    ]
    assert os.listdir(penstock.folder) == []


async def test_a_report_is_told_and_makes_it_partial(penstock: Cli, source: Source) -> None:
    urls = [source.serve("/a", b"a"), f"{source.url}/b?sig=secret"]

    ran = await run(penstock, "zip", *urls, "-o", "x.zip", "--on-error", "report")
    piped = await run(penstock, "zip", *urls, "-o", "-", "--on-error", "report")

    assert (ran.code, piped.code) == (3, 3)
    assert ran.err == piped.err == "penstock: error: not in the ZIP: b: HTTP 404\n"
    assert ran.lines[0].endswith("  1 file")
    assert sorted(unzipped(penstock.folder / "x.zip")) == ["_download_errors.txt", "a"]


async def test_a_report_as_json_lines(penstock: Cli, source: Source) -> None:
    urls = [source.serve("/a", b"a"), f"{source.url}/b"]

    ran = await run(penstock, "zip", *urls, "-o", "x.zip", "--on-error", "report", "--json")

    zipped, error, summary = ran.messages
    assert kinds(ran.messages) == ["zip", "error", "summary"]
    assert (zipped["entries"], zipped["failed"], zipped["layout"]) == (1, 1, "deflate")
    assert zipped["size"] == os.path.getsize(penstock.folder / "x.zip")
    assert (error["code"], error["member"], error["detail"]) == ("left-out", "b", "HTTP 404")
    assert (summary["exit_code"], ran.code, ran.err) == (3, 3, "")


async def test_a_source_that_dies_leaves_no_zip(penstock: Cli, source: Source) -> None:
    url = source.serve("/a", bytes(4 * MIB), faults=[DYING] * 9, head_faults=[UNSIZED] * 9)

    ran = await run(penstock, "zip", url, "-o", "x.zip", "--tries", "2")

    assert ran.code == 5
    assert ran.err.startswith("penstock: error: ")
    assert set(os.listdir(penstock.folder)) <= {"x.zip.part", "x.zip.part.json"}


def test_a_url_that_leads_inside_is_refused(penstock: Cli) -> None:
    ran = penstock("zip", "http://user:secret@10.0.0.1/x?sig=secret", "-o", "x.zip")

    assert ran.code == 6
    assert "http://10.0.0.1/x" in ran.err
    assert "secret" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["s3://secret@bucket/key"], "not available yet"),
        (["https://h/x", "--header", "secret"], "Name: value"),
        (["key", "--header", "X-Key: secret"], "goes with URLs"),
        (["https://h/x", "--header", "Host: secret"], "header Host"),
        (["key", "--level", "best"], "--compress"),
        (["key", "--compress", "zip"], "store"),
        (["key", "--on-error", "skip"], "abort"),
    ],
)
def test_usage_is_2_and_tells_no_secret(penstock: Cli, arguments: list[str], told: str) -> None:
    ran = penstock("zip", *arguments, "-o", "x.zip")

    assert ran.code == 2
    assert told in ran.err
    assert "secret" not in ran.err
