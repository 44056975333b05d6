"""put is killed, interrupted and cut off; the same command again finishes the work."""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from tests.cli.running import Cli, kinds
from tests.client.proxy import proxy_to
from tests.client.uploads import random_file, sha256_of, sha256_stored
from tests.conftest import StartServer
from tests.serving import RunningServer

MIB = 1 << 20
SIZE = 40 * MIB + 17


@pytest.fixture
def film(penstock: Cli) -> Path:
    return random_file(penstock.folder / "film.mkv", SIZE)


def unfinished(server: RunningServer, key: str) -> list[dict[str, Any]]:
    with urlopen(f"{server.url}/v1/uploads?key={quote(key)}") as answer:
        found: list[dict[str, Any]] = json.load(answer)["uploads"]
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def end_in_the_middle(
    process: "subprocess.Popen[bytes]", server: RunningServer, key: str, number: signal.Signals
) -> int:
    """Send a signal when a good piece is sent; answers how much of it the server has."""

    def sent() -> int:
        return sum(one["offset"] for one in unfinished(server, key))

    wait_until(lambda: sent() >= 32 * MIB)
    process.send_signal(number)
    process.wait(timeout=30)
    wait_until(lambda: not any(one["active"] for one in unfinished(server, key)))
    return sent()


def received(server: RunningServer, since: int) -> int:
    """Bytes of bodies that came whole after a place in the server's log."""
    lines = server.log.read_bytes()[since:].splitlines()
    told = [json.loads(line) for line in lines if line.startswith(b"{")]
    return sum(one["received"] for one in told if one.get("status") == 204)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_put_goes_on(
    penstock: Cli, server: RunningServer, film: Path, number: signal.Signals
) -> None:
    key = f"killed/{number.name}"
    process = penstock.start(
        *("put", film, "--to", key, "--limit-rate", "16M"), stderr=subprocess.DEVNULL
    )
    left = end_in_the_middle(process, server, key, number)
    log = server.log.stat().st_size

    again = penstock("put", film, "--to", key, "--json")

    assert again.code == 0
    assert kinds(again.messages) == ["stored", "summary"]
    assert again.messages[0]["sha256"] == sha256_of(film) == sha256_stored(server, key)
    assert 32 * MIB <= left < SIZE
    assert received(server, log) == SIZE - left


def test_a_file_that_was_changed_meanwhile_is_sent_from_the_start(
    penstock: Cli, server: RunningServer, film: Path
) -> None:
    process = penstock.start("put", film, "--to", "changed", "--limit-rate", "16M")
    end_in_the_middle(process, server, "changed", signal.SIGKILL)
    with film.open("r+b") as file:
        os.pwrite(file.fileno(), b"changed", 1000)

    again = penstock("put", film, "--to", "changed")

    assert again.code == 0
    assert sha256_stored(server, "changed") == sha256_of(film)
    assert unfinished(server, "changed") == []


def test_an_interrupted_put_tells_how_to_go_on(
    penstock: Cli, server: RunningServer, film: Path
) -> None:
    process = penstock.start(
        *("put", film, "--to", "told", "--limit-rate", "16M"), stderr=subprocess.PIPE
    )
    with process:
        end_in_the_middle(process, server, "told", signal.SIGINT)
        assert process.stderr is not None
        error = process.stderr.read().decode()

    assert process.returncode == 130
    assert error == (
        "penstock: error: interrupted; "
        "running the same command again goes on where this one stopped: "
        f"penstock put {film} --to told --limit-rate 16M\n"
    )


def test_a_server_that_is_killed_and_started_again(
    start_server: StartServer, penstock: Cli, film: Path
) -> None:
    server = start_server()
    process = penstock.start(
        *("put", film, "--to", "restarted", "--limit-rate", "16M", "--server", server.url)
    )
    wait_until(lambda: any(one["offset"] for one in unfinished(server, "restarted")))

    port = server.port
    server.kill()
    server = start_server(server.data, port=port)

    assert process.wait(timeout=60) == 0
    assert sha256_stored(server, "restarted") == sha256_of(film)


@pytest.mark.slow
def test_a_big_file_in_parts_goes_on_with_each(
    start_server: StartServer, penstock: Cli, tmp_path: Path
) -> None:
    server = start_server()
    big = random_file(tmp_path / "big", 256 * MIB + 17)
    command = ("put", big, "--to", "big", "--server", server.url)
    process = penstock.start(*command, "--limit-rate", "100M")
    left = end_in_the_middle(process, server, "big", signal.SIGKILL)
    assert {one["kind"] for one in unfinished(server, "big")} == {"partial"}
    log, port = server.log.stat().st_size, server.port
    server.kill()
    server = start_server(server.data, port=port)

    again = penstock(*command, "--parallel", "2")

    assert again.code == 0
    assert sha256_stored(server, "big") == sha256_of(big)
    assert received(server, log) == big.stat().st_size - left


async def test_standing_input_outlives_its_connections(
    server: RunningServer, penstock: Cli, film: Path
) -> None:
    async with proxy_to(server.url) as proxy:
        proxy.cut_requests = [10 * MIB, 3 * MIB, 400, 12 * MIB]
        ran = await asyncio.to_thread(
            penstock,
            *("put", "-", "--to", "piped", "--server", proxy.url),
            stdin=film.read_bytes(),
        )

        assert proxy.cut_requests == []
    assert ran.code == 0
    assert sha256_stored(server, "piped") == sha256_of(film)


def test_interrupted_standard_input_leaves_nothing(penstock: Cli, server: RunningServer) -> None:
    with penstock.start(
        *("put", "-", "--to", "left"), stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(bytes(20 * MIB))
        process.stdin.flush()
        wait_until(lambda: any(one["offset"] for one in unfinished(server, "left")))

        process.send_signal(signal.SIGINT)

        assert process.wait(timeout=30) == 130
        assert process.stderr.read() == b"penstock: error: interrupted\n"
    assert unfinished(server, "left") == []


async def test_flipped_bytes_are_a_mismatch(
    server: RunningServer, penstock: Cli, film: Path
) -> None:
    async with proxy_to(server.url) as proxy:
        proxy.flip_request = 5 * MIB
        ran = await asyncio.to_thread(
            penstock, "put", film, "--to", "flipped", "--server", proxy.url
        )

    assert ran.code == 7
    assert "other bytes than were sent" in ran.err
    assert penstock("ls", "flipped").code == 4


@pytest.mark.parametrize("number", ["0", "-1", "17", "many"])
def test_parallel_must_make_sense(penstock: Cli, film: Path, number: str) -> None:
    assert penstock("put", film, "--parallel", number).code == 2
