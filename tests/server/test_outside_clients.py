"""Software we did not write resumes and parallelises files and ZIPs."""

import hashlib
import http.client
import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.serving import RunningServer

SIZE = 30_000_000


@pytest.fixture(scope="module")
def stocked(server: RunningServer) -> RunningServer:
    """The server with a big file and a folder of files."""
    put(server, "big.bin", random.Random(7).randbytes(SIZE))
    for number in range(40):
        put(server, f"folder/{number}.bin", random.Random(number).randbytes(500_000))
    return server


def put(server: RunningServer, key: str, data: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("PUT", f"/v1/files/{key}", body=data)
    assert connection.getresponse().status in (200, 201)
    connection.close()


@pytest.fixture(params=["file", "zip", "kept zip"])
def url(request: pytest.FixtureRequest, stocked: RunningServer) -> str:
    if request.param == "file":
        return f"{stocked.url}/v1/files/big.bin"
    if request.param == "zip":
        return f"{stocked.url}/v1/zip?prefix=folder/"
    connection = http.client.HTTPConnection("127.0.0.1", stocked.port)
    connection.request(
        "POST",
        "/v1/zips",
        body=json.dumps({"prefixes": ["folder/"]}),
        headers={"Content-Type": "application/json"},
    )
    link: str = json.loads(connection.getresponse().read())["url"]
    connection.close()
    return stocked.url + link


def run(*command: str | Path) -> None:
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def whole(url: str, tmp_path: Path) -> bytes:
    run("curl", "-sSf", "-o", tmp_path / "whole", url)
    return (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize(
    "command",
    [
        ["curl", "-sSf", "-C", "-", "-o", "OUT", "URL"],
        ["wget", "-q", "-c", "-O", "OUT", "URL"],
        ["aria2c", "-q", "-c", "--allow-overwrite=true", "-d", "DIR", "-o", "NAME", "URL"],
    ],
    ids=lambda command: str(command[0]),
)
def test_a_broken_download_is_resumed(url: str, tmp_path: Path, command: list[str]) -> None:
    expected = whole(url, tmp_path)
    target = tmp_path / "target"
    target.write_bytes(expected[: len(expected) // 3])
    words = {"OUT": str(target), "URL": url, "DIR": str(tmp_path), "NAME": target.name}

    run(*[words.get(word, word) for word in command])

    assert hashlib.sha256(target.read_bytes()).digest() == hashlib.sha256(expected).digest()


def test_aria2_fetches_over_eight_connections(url: str, tmp_path: Path) -> None:
    expected = whole(url, tmp_path)

    run("aria2c", "-q", "-x8", "-s8", "-k1M", "-d", str(tmp_path), "-o", "target", url)

    assert hashlib.sha256((tmp_path / "target").read_bytes()).digest() == (
        hashlib.sha256(expected).digest()
    )


def test_the_zip_opens_in_unzip(stocked: RunningServer, tmp_path: Path) -> None:
    run("curl", "-sSf", "-o", tmp_path / "z.zip", f"{stocked.url}/v1/zip?prefix=folder/")

    run("unzip", "-tq", tmp_path / "z.zip")


def test_curl_uploads_with_expect_and_from_standard_input(
    server: RunningServer, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(random.Random(3).randbytes(5_000_000))
    with source.open("rb") as stdin:
        subprocess.run(
            ["curl", "-sSf", "-T", "-", f"{server.url}/v1/files/up/stdin"], stdin=stdin, check=True
        )
    run("curl", "-sSf", "-T", source, f"{server.url}/v1/files/up/file")
    run("curl", "-sSf", "-F", f"file=@{source}", "-F", "path=up", f"{server.url}/v1/files")

    for key in ("stdin", "file", "source"):
        assert whole(f"{server.url}/v1/files/up/{key}", tmp_path) == source.read_bytes()
