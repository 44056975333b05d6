"""SIGINT and SIGKILL in the middle; the same command again finishes the work."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.running import Cli

SIZE = (4 << 20) + 17


def bytes_in(part: Path) -> int:
    """How many bytes a part has, as its state tells if the file itself does not."""
    try:
        state = json.loads(part.with_name(part.name + ".json").read_text())
    except FileNotFoundError:
        return 0
    if "have" in state:
        return sum(stop - start for start, stop in state["have"])
    return part.stat().st_size


def wait_for_part(path: Path) -> None:
    """Wait until a good piece of the part is there."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if bytes_in(path) > SIZE // 4:
            return
        time.sleep(0.02)
    raise AssertionError(f"{path} did not grow")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_killed_get_goes_on(penstock: Cli, film: Path, number: signal.Signals) -> None:
    key = f"killed/{number.name}"
    penstock("put", film, "--to", key)
    part = penstock.folder / "copy.part"
    process = penstock.start("get", key, "-o", "copy", "--limit-rate", "1M")
    wait_for_part(part)

    process.send_signal(number)
    process.wait(timeout=30)
    there = bytes_in(part)
    again = penstock("get", key, "-o", "copy")

    assert 0 < there < SIZE
    assert again.code == 0
    assert (penstock.folder / "copy").read_bytes() == film.read_bytes()
    assert sorted(os.listdir(penstock.folder)) == ["copy", "film.mkv"]


def test_an_interrupted_command_tells_how_to_go_on(penstock: Cli, film: Path) -> None:
    penstock("put", film, "--to", "interrupted")
    process = penstock.start(
        *("get", "interrupted", "-o", "copy", "--limit-rate", "1M"), stderr=subprocess.PIPE
    )
    wait_for_part(penstock.folder / "copy.part")

    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)

    assert process.returncode == 130
    assert error.decode().startswith("penstock: error: interrupted; running the same command again")
    assert error.decode().endswith(": penstock get interrupted -o copy --limit-rate 1M\n")
    assert error.count(b"\n") == 1


def test_the_command_that_is_told_holds_no_secrets(penstock: Cli, film: Path) -> None:
    penstock("put", film, "--to", "secret")
    url = f"{penstock.server}/v1/files/secret?signature=hidden"
    process = penstock.start(
        *("get", url, "-o", "copy", "--limit-rate", "1M", "--header", "Authorization: hidden"),
        stderr=subprocess.PIPE,
    )
    wait_for_part(penstock.folder / "copy.part")

    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)

    assert b"hidden" not in error
    assert b"--header 'Authorization: \xe2\x80\xa6'" in error


def test_an_interrupted_put_stores_nothing(penstock: Cli, film: Path) -> None:
    process = penstock.start(
        "put", film, "--to", "interrupted-put", "--limit-rate", "1M", stderr=subprocess.DEVNULL
    )
    time.sleep(2)

    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=30) == 130
    assert penstock("get", "interrupted-put").code == 4


def test_a_put_that_waits_for_its_input_can_be_interrupted(penstock: Cli) -> None:
    process = penstock.start(
        *("put", "-", "--to", "waiting"), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(b"begun")
    process.stdin.flush()
    time.sleep(2)

    process.send_signal(signal.SIGINT)

    assert process.wait(timeout=10) == 130
    process.stdin.close()
    assert process.stderr is not None
    assert process.stderr.read() == b"penstock: error: interrupted\n"
    process.stderr.close()


def test_an_interrupted_zip_goes_on(penstock: Cli, film: Path) -> None:
    penstock("put", film, "--to", "zipped/film.mkv")
    process = penstock.start("zip", "zipped/", "--limit-rate", "1M", stderr=subprocess.DEVNULL)
    wait_for_part(penstock.folder / "zipped.zip.part")

    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    again = penstock("zip", "zipped/")

    assert again.code == 0
    assert sorted(os.listdir(penstock.folder)) == ["film.mkv", "zipped.zip"]


def test_a_second_interrupt_ends_at_once(penstock: Cli, film: Path) -> None:
    """Nobody reads the output, so the first one waits for a write that never ends."""
    penstock("put", film, "--to", "stuck")
    process = penstock.start("get", "stuck", "-o", "-", stdout=subprocess.PIPE)
    time.sleep(2)

    with process:
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=10) == 130
