"""``penstock get --follow``: a file is read along while it is uploaded."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.running import Cli, Ran
from tests.server import tus_blocking as blocking
from tests.serving import RunningServer

DATA = os.urandom((2 << 20) + 5)
HALF = len(DATA) // 2


def half(server: RunningServer, key: str) -> str:
    """An upload with half of its bytes; answers its path."""
    url = blocking.begin(server, len(DATA), key)
    blocking.patch(server, url, 0, DATA[:HALF])
    return url


def wait_for(path: Path, size: int) -> None:
    """Until so many bytes are there."""
    for _ in range(1500):
        if path.exists() and path.stat().st_size >= size:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} did not grow")


def ended(process: "subprocess.Popen[bytes]") -> Ran:
    out, err = process.communicate(timeout=60)
    return Ran(process.returncode, out, err.decode())


@pytest.mark.parametrize("to", ["file", "stdout"])
def test_a_file_is_read_along(penstock: Cli, server: RunningServer, to: str) -> None:
    url = half(server, f"cli-{to}")
    out = ["-o", "-"] if to == "stdout" else ["-o", "copy"]
    process = penstock.start(
        *["get", f"cli-{to}", "--follow", *out], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    if to == "file":
        wait_for(penstock.folder / "copy.part", HALF)
    else:
        assert process.stdout is not None
        assert process.stdout.read(HALF) == DATA[:HALF]

    blocking.patch(server, url, HALF, DATA[HALF:])
    ran = ended(process)

    assert ran.code == 0
    whole = (penstock.folder / "copy").read_bytes() if to == "file" else DATA[:HALF] + ran.out
    assert whole == DATA


def test_an_upload_that_fails_fails_it(penstock: Cli, server: RunningServer) -> None:
    url = half(server, "cli-fails")
    process = penstock.start(
        *["get", "cli-fails", "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for(penstock.folder / "cli-fails.part", HALF)

    blocking.ask(server, "DELETE", url)
    ran = ended(process)

    assert ran.code == 4
    assert "upload" in ran.err
    assert os.listdir(penstock.folder) == []


def test_what_is_stored_already_is_fetched_as_always(penstock: Cli, film: Path) -> None:
    assert penstock("put", "film.mkv", "--to", "cli-stored").code == 0

    ran = penstock("get", "cli-stored", "--follow", "--json", "-o", "copy.mkv")

    assert ran.code == 0
    assert ran.messages[0]["message_type"] == "fetched"
    assert (penstock.folder / "copy.mkv").read_bytes() == film.read_bytes()


@pytest.mark.parametrize("source", ["folder/", "http://127.0.0.1:9/file"])
def test_only_files_of_the_server_can_be_followed(penstock: Cli, source: str) -> None:
    assert penstock("get", source, "--follow").code == 2
