"""upload and download, with the flags and the words of the client of s3testcase."""

import asyncio
import hashlib
import os
import random
import re
import signal
import subprocess
from pathlib import Path

import pytest

from penstock.cli.render import HumanLines
from penstock.client import ServedFile
from tests.cli.running import Cli, kinds
from tests.cli.test_interrupts import wait_for_part
from tests.client.proxy import proxy_to
from tests.conftest import StartServer
from tests.serving import RunningServer

ELAPSED = r"(\d+ms|\d+(\.\d\d?)?s)"


def address(server: RunningServer) -> str:
    return server.url.removeprefix("http://")


def shown(lines: list[str]) -> list[str]:
    """The lines with every duration as ``?``."""
    return [re.sub(rf"(elapsed: |after ){ELAPSED}", r"\1?", line) for line in lines]


@pytest.fixture
def video(penstock: Cli) -> Path:
    """A file of an odd size that begins as an MP4 does."""
    path = penstock.folder / "v1.mp4"
    rest = random.Random(7).randbytes(5_000_003 - 32)
    path.write_bytes(b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + rest)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_there_and_back_in_the_clients_words(
    penstock: Cli, server: RunningServer, video: Path
) -> None:
    put = penstock("upload", "-f", video, "-a", address(server))
    got = penstock("download", "-n", "v1.mp4", "-o", "out.mp4", "-a", address(server))

    facts = ["Size: 5,000,003 bytes", "Content-Type: video/mp4", f"SHA256: {sha256(video)}"]
    assert (put.code, put.err) == (0, "")
    assert shown(put.lines) == [
        "Uploading file: v1.mp4",
        *facts,
        f"Sending request to {server.url}/upload",
        "File v1.mp4 uploaded successfully (elapsed: ?)",
    ]
    assert (got.code, got.err) == (0, "")
    assert shown(got.lines) == [
        f"Downloading file from {server.url}/files/v1.mp4",
        "Response received after ?",
        "Downloaded file: v1.mp4",
        *facts,
        "File v1.mp4 downloaded successfully (elapsed: ?)",
    ]
    assert (penstock.folder / "out.mp4").read_bytes() == video.read_bytes()


def test_into_a_folder_under_its_own_name(penstock: Cli) -> None:
    penstock("put", "-", "--to", "below/a folder/b.txt", stdin=b"deep")
    (penstock.folder / "into").mkdir()

    got = penstock("download", "-n", "below/a folder/b.txt", "-o", "into")

    assert got.code == 0
    assert (penstock.folder / "into" / "b.txt").read_bytes() == b"deep"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("upload",), "upload requires --file/-f flag"),
        (("download", "-n", "a"), "download requires --out/-o flag"),
        (("download", "-o", "a"), "download requires --name/-n flag"),
        (("upload", "-f", "a", "-a", "http://"), "neither HOST:PORT nor a URL"),
        (("download", "-n", "a", "-o", "b", "-a", "ftp://a"), "is not a server's address"),
    ],
)
def test_usage_is_2(penstock: Cli, arguments: tuple[str, ...], text: str) -> None:
    ran = penstock(*arguments)

    assert ran.code == 2
    assert text in ran.err


def test_a_file_that_cannot_be_opened(penstock: Cli) -> None:
    missing = penstock("upload", "-f", "missing")
    folder = penstock("upload", "-f", ".")

    assert missing.code == 4
    assert missing.err == (
        "penstock: error: upload failed: cannot open file: missing: No such file or directory\n"
    )
    assert folder.code == 1
    assert folder.err == "penstock: error: upload failed: cannot open file: .: is a folder\n"


def test_a_file_that_is_not_there(penstock: Cli) -> None:
    ran = penstock("download", "-n", "nothing", "-o", "copy")

    assert ran.code == 4
    assert ran.err.startswith("penstock: error: download failed: server returned status 404: ")
    assert os.listdir(penstock.folder) == []


def test_a_refusal_is_6(start_server: StartServer, penstock: Cli, film: Path) -> None:
    server = start_server(max_body=1000)

    ran = penstock("upload", "-f", film, "-a", server.url)

    assert ran.code == 6
    assert "upload failed: server returned status 413: " in ran.err


def test_an_unreachable_service_is_5(penstock: Cli, film: Path) -> None:
    ran = penstock("upload", "-f", film, "-a", "127.0.0.1:1")

    assert ran.code == 5
    assert "upload failed: cannot reach http://127.0.0.1:1 (Connection refused)" in ran.err


async def test_a_byte_that_flips_on_the_way_there_is_7(
    server: RunningServer, penstock: Cli, film: Path
) -> None:
    film = film.rename(film.with_name("flipped-up"))
    async with proxy_to(server.url) as proxy:
        proxy.flip_request = 2 << 20

        ran = await asyncio.to_thread(penstock, "upload", "-f", film, "-a", proxy.url)

    assert ran.code == 7
    assert "upload failed: server returned status 400: the bytes received do not match" in ran.err
    assert not any("successfully" in line for line in ran.lines)
    assert penstock("get", "flipped-up").code == 4


async def test_a_byte_that_flips_on_the_way_back_is_7_and_leaves_no_file(
    server: RunningServer, penstock: Cli, film: Path
) -> None:
    await asyncio.to_thread(penstock, "put", film, "--to", "flipped-down")
    async with proxy_to(server.url) as proxy:
        proxy.flip_answer = 2 << 20

        ran = await asyncio.to_thread(
            penstock, "download", "-n", "flipped-down", "-o", "copy", "-a", proxy.url
        )

    assert ran.code == 7
    assert "not the right ones" in ran.err
    assert os.listdir(penstock.folder) == ["film.mkv"]


async def test_what_breaks_is_gone_on_with_or_sent_again(
    server: RunningServer, penstock: Cli, film: Path
) -> None:
    film = film.rename(film.with_name("broken"))
    async with proxy_to(server.url) as proxy:
        proxy.cut_requests = [2 << 20]
        put = await asyncio.to_thread(penstock, "upload", "-f", film, "-a", proxy.url)
        proxy.cut_answers = [2 << 20]
        got = await asyncio.to_thread(
            penstock, "download", "-n", "broken", "-o", "copy", "-a", proxy.url
        )

        assert proxy.ranges != []
    assert (put.code, got.code) == (0, 0)
    assert put.lines.count("Uploading file: broken") == 1
    assert got.lines.count("Downloaded file: broken") == 1
    assert (penstock.folder / "copy").read_bytes() == film.read_bytes()


def test_an_interrupted_download_shows_nothing_and_goes_on(penstock: Cli, film: Path) -> None:
    penstock("put", film, "--to", "interrupted")
    command = ("download", "-n", "interrupted", "-o", "copy")
    process = penstock.start(*command, "--limit-rate", "1M", stderr=subprocess.PIPE)
    wait_for_part(penstock.folder / "copy.part")

    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    there = os.listdir(penstock.folder)
    again = penstock(*command)

    assert process.returncode == 130
    assert error.startswith(b"penstock: error: interrupted; running the same command again")
    assert "copy" not in there
    assert again.code == 0
    assert (penstock.folder / "copy").read_bytes() == film.read_bytes()


async def test_a_service_that_tells_no_digest_is_told_of(
    server: RunningServer, penstock: Cli, film: Path
) -> None:
    await asyncio.to_thread(penstock, "put", film, "--to", "no-digest")
    async with proxy_to(server.url) as proxy:
        proxy.digests = False

        ran = await asyncio.to_thread(
            penstock, "download", "-n", "no-digest", "-o", "copy", "-a", proxy.url
        )

    assert ran.code == 0
    assert "tells no digest" in ran.err


def test_json_lines_and_long_flags_and_the_usual_server(penstock: Cli, film: Path) -> None:
    put = penstock("upload", "--file", film, "--json").messages
    got = penstock("download", "--name", "film.mkv", "--out", "copy", "--json").messages
    lost = penstock("download", "-n", "nothing", "-o", "copy", "--json").messages

    assert kinds(put) == ["uploaded", "summary"]
    assert kinds(got) == ["downloaded", "summary"]
    assert kinds(lost) == ["error", "summary"]
    assert put[0]["sha256"] == got[0]["sha256"] == sha256(film)
    assert put[0]["verified"] is got[0]["verified"] is True
    assert (got[0]["target"], got[0]["size"]) == ("copy", film.stat().st_size)
    assert (lost[0]["code"], lost[0]["exit_code"]) == ("not-found", 4)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.6239, "624ms"), (1.79, "1.79s"), (3.5, "3.5s"), (59.999, "1m0s"), (121.5, "2m1.5s")],
)
def test_durations_are_written_as_there(
    seconds: float, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = ServedFile("a", 1, "text/plain", "0" * 64, "http://a/files/a", verified=True)

    HumanLines(quiet=False).uploaded(file, seconds)

    assert capsys.readouterr().out == f"File a uploaded successfully (elapsed: {text})\n"
