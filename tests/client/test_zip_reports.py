"""ZIPs that lack members: who asked for a report hears of every one."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.client import Client, RemoteUrl
from penstock.client import zips as client_zips
from tests.client.conftest import MIB
from tests.client.fetching import DYING, UNSIZED, fetching_server
from tests.client.test_zip import unzipped
from tests.faults import Source
from tests.serving import RunningServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    yield from fetching_server(tmp_path_factory)


async def test_what_is_missing_is_told(client: Client, source: Source, tmp_path: Path) -> None:
    urls = [
        RemoteUrl(source.serve("/there", b"there")),
        RemoteUrl(f"{source.url}/gone", name="Talk, part 1.mp4"),
        RemoteUrl(
            source.serve("/dying", bytes(4 * MIB), faults=[DYING] * 9, head_faults=[UNSIZED] * 9)
        ),
    ]

    info = await client.zip(tmp_path / "x.zip", keys=["missing/key"], urls=urls, on_error="report")

    assert info.failures is not None
    reasons = dict(info.failures)
    assert reasons["missing/key"] == "not stored"
    assert reasons["Talk, part 1.mp4"] == "HTTP 404"
    assert "cut short" in reasons["dying"]
    assert info.entries == 1
    assert sorted(unzipped(tmp_path / "x.zip")) == ["_download_errors.txt", "there"]


async def test_a_stream_tells_it_too(client: Client, source: Source) -> None:
    urls = [source.serve("/large", os.urandom(9 * MIB)), f"{source.url}/gone"]

    info = await client.zip(io.BytesIO(), urls=urls, on_error="report")

    assert (info.entries, info.failures) == (1, [("gone", "HTTP 404")])


async def test_everything_is_missing(client: Client, source: Source, tmp_path: Path) -> None:
    urls = [f"{source.url}/{number}" for number in range(3)]

    info = await client.zip(tmp_path / "x.zip", urls=urls, on_error="report")

    assert info.entries == 0
    assert info.failures == [(str(number), "HTTP 404") for number in range(3)]


async def test_nothing_is_missing(client: Client, source: Source, tmp_path: Path) -> None:
    urls = [source.serve("/all", b"all")]

    info = await client.zip(tmp_path / "x.zip", urls=urls, on_error="report")

    assert (info.entries, info.failures) == (1, [])
    assert unzipped(tmp_path / "x.zip") == {"all": b"all"}


@pytest.mark.parametrize("others", [0, 2])
async def test_a_member_that_looks_like_a_report_is_none(
    client: Client, source: Source, tmp_path: Path, others: int
) -> None:
    """The report of another ZIP, which somebody keeps."""
    urls = [source.serve(f"/{number}", b"x") for number in range(others)]
    await client.zip(tmp_path / "old.zip", urls=[f"{source.url}/gone"], on_error="report")
    old = unzipped(tmp_path / "old.zip")["_download_errors.txt"]
    urls.append(source.serve("/_download_errors.txt", old))

    good = await client.zip(tmp_path / "good.zip", urls=urls, on_error="report")
    urls.append(f"{source.url}/lost")
    bad = await client.zip(tmp_path / "bad.zip", urls=urls, on_error="report")

    assert (good.entries, good.failures) == (others + 1, [])
    assert (bad.entries, bad.failures) == (others + 1, [("lost", "HTTP 404")])


async def test_a_directory_that_is_too_long_for_a_stream_is_not_taken_for_good(
    client: Client, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_zips, "TAIL", 64)
    urls = [source.serve("/there", b"there")]

    info = await client.zip(io.BytesIO(), urls=urls, on_error="report")

    assert info.failures is None
