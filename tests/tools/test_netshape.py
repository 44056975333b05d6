"""``python -m tools.netshape`` on real network namespaces."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from tools.netshape.hosts import check_possible
from tools.netshape.shape import PRESETS, NoNamespaces
from tools.netshape.standing import found

TOOL = (sys.executable, "-m", "tools.netshape")
FETCH = """
import os, socket, sys, time
with socket.create_connection((os.environ["NETSHAPE_HOST"], int(sys.argv[1]))) as here:
    taken, first = 0, None
    while data := here.recv(65536):
        first = first or time.monotonic()
        taken += len(data)
print(taken, time.monotonic() - first)
"""

KNOCK = """
import os, socket, time

def knock():
    began = time.monotonic()
    with socket.socket() as here:
        here.connect_ex((os.environ["NETSHAPE_HOST"], 9))
    return time.monotonic() - began

print(min(knock() for _ in range(5)))
"""
"""The time of a round trip: where nobody listens, the answer is a refusal."""


@pytest.fixture
def root() -> None:
    try:
        check_possible()
    except NoNamespaces as reason:
        pytest.skip(str(reason))


def netshape(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*TOOL, *words], capture_output=True, text=True, timeout=60, check=False)


@contextmanager
def sending(size: int) -> Iterator[int]:
    """A server of so many bytes on all addresses of this machine; its port."""
    with socket.create_server(("0.0.0.0", 0)) as server:

        def send() -> None:
            caller, _ = server.accept()
            with caller:
                caller.sendall(os.urandom(size))

        thread = Thread(target=send, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(30)


def names() -> set[str]:
    """The lines there are, seen without the tool: devices and namespaces."""
    devices = json.loads(subprocess.check_output(["ip", "-json", "link", "show"]))
    spaces = subprocess.check_output(["ip", "netns", "list"], text=True).splitlines()
    every = {one["ifname"] for one in devices} | {line.split()[0] for line in spaces}
    return {name for name in every if name.startswith("netshape")}


@pytest.mark.parametrize("preset", ["wifi", "3g"])
def test_a_command_is_as_slow_as_the_preset_says(root: None, preset: str) -> None:
    shape, before = PRESETS[preset], names()
    size = int(shape.bytes_per_second * 3)

    with sending(size) as port:
        ran = netshape("run", preset, "--", sys.executable, "-c", FETCH, str(port))

    assert ran.returncode == 0, ran.stderr
    taken, seconds = ran.stdout.split()
    assert int(taken) == size
    # Not faster than the line, but for what its bucket holds; heads and a late start are slack.
    assert (size - shape.burst / 8) / float(seconds) < shape.bytes_per_second * 1.05
    assert size / float(seconds) > shape.bytes_per_second * 0.6
    assert names() == before


def test_the_exit_code_is_the_commands(root: None) -> None:
    assert netshape("run", "wifi", "--", "sh", "-c", "exit 7").returncode == 7


def test_a_line_is_removed_when_the_tool_is_asked_to_end(root: None) -> None:
    before = names()
    running, line = begun("run", "wifi", "--", "sleep", "60")

    running.terminate()

    assert running.wait(30) == 128 + signal.SIGTERM
    assert line not in names()
    assert names() <= before


def test_what_a_killed_tool_leaves_is_removed_by_down(root: None) -> None:
    running, line = begun("run", "wifi", "--", "sleep", "60")

    running.kill()
    running.wait(30)
    assert line in names()
    assert f"{line}  wifi" in netshape("ls").stdout
    assert "left over" in netshape("ls").stdout
    removed = netshape("down")

    assert f"removed {line}" in removed.stdout
    assert line not in names()


def test_down_leaves_the_line_of_a_command_that_runs(root: None) -> None:
    running, line = begun("run", "wifi", "--", "sleep", "60")
    try:
        assert netshape("down").returncode == 0
        assert line in names()
    finally:
        running.terminate()
        running.wait(30)


def test_a_line_stands_until_it_is_removed(root: None) -> None:
    made = netshape("up", "very-bad")
    (told,) = made.stdout.splitlines()
    line = told.split()[3]

    there = subprocess.check_output(["ip", "netns", "exec", line, "tc", "qdisc", "show"], text=True)
    assert "tbf" in there
    assert "rate 300Kbit" in there
    assert netshape("down").returncode == 0
    assert line not in names()


def test_what_is_half_made_is_removed_too(root: None) -> None:
    taken = {one.number for one in found()}
    name = f"netshape{next(number for number in range(256) if number not in taken)}"
    subprocess.run(["ip", "netns", "add", name], check=True)

    assert f"removed {name}" in netshape("down").stdout
    assert name not in names()


def test_delay_is_had_or_said_to_be_missing(root: None) -> None:
    ran = netshape(
        "run", "wifi", "--delay", "40", "--loss", "0.1", "--", sys.executable, "-c", KNOCK
    )

    assert ran.returncode == 0, ran.stderr
    least = float(ran.stdout)
    if "no netem" in ran.stderr:
        assert least < 0.08
        pytest.skip("this kernel has no netem: that is told, and the rate alone is shaped")
    assert least >= 0.08


def test_an_interface_is_slowed_down_as_the_old_script_did(tmp_path: Path) -> None:
    commands = [netshape("up", name, "--interface", "eth0", "--dry-run").stdout for name in PRESETS]
    end = netshape("down", "--interface", "eth0", "--dry-run").stdout

    assert [*commands, end] == [
        "tc qdisc add dev eth0 root tbf rate 10mbit burst 256kbit latency 50ms\n",
        "tc qdisc add dev eth0 root tbf rate 2mbit burst 128kbit latency 200ms\n",
        "tc qdisc add dev eth0 root tbf rate 500kbit burst 64kbit latency 600ms\n",
        "tc qdisc add dev eth0 root tbf rate 300kbit burst 32kbit latency 800ms\n",
        "tc qdisc del dev eth0 root\n",
    ]


def begun(*words: str) -> "tuple[subprocess.Popen[str], str]":
    """The tool, when its command runs, and the name of its line."""
    running = subprocess.Popen([*TOOL, *words], stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    with running.stderr as said:
        assert "this machine is" in said.readline()
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for line in found():
            if line.owner.startswith(f"{running.pid}/"):
                return running, line.name
        time.sleep(0.05)
    raise AssertionError("there is no line")
