"""The units of ``deploy/systemd``, judged by systemd's own tools, and what they allow tried out."""

import configparser
import ctypes.util
import http.client
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from penstock.cli.root import root
from penstock.settings import Settings
from tests.conftest import StartServer
from tests.serving import RunningServer

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
_PROGRAM = "/opt/penstock/bin/penstock"
_SANDBOX = Path(__file__).with_name("sandbox.py")


@pytest.fixture
def analyze(tmp_path: Path) -> Path:
    """A folder with the units, whose program is one that there is."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for path in UNITS.iterdir():
        text = path.read_text().replace(_PROGRAM, sys.executable)
        (tmp_path / path.name).write_text(text)
    return tmp_path


def read(name: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((UNITS / name).read_text())
    return unit


@pytest.mark.parametrize("name", [path.name for path in UNITS.iterdir()])
def test_systemd_understands_every_line(analyze: Path, name: str) -> None:
    command = ["systemd-analyze", "verify", "--man=no", f"./{name}"]

    ran = subprocess.run(command, cwd=analyze, capture_output=True, text=True, timeout=60)

    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("name", SERVICES)
def test_systemd_finds_little_that_is_exposed(analyze: Path, name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", f"./{name}"]

    ran = subprocess.run(command, cwd=analyze, capture_output=True, text=True, timeout=60)

    assert ran.returncode == 0, ran.stdout[-200:]  # the level is at most 2.0


@pytest.mark.parametrize("name", SERVICES)
def test_each_command_and_variable_exists(name: str) -> None:
    text = (UNITS / name).read_text()
    command = root.get_command(click.Context(root), read(name)["Service"]["ExecStart"].split()[1])
    assert command is not None

    used = set(re.findall(r"PENSTOCK_\w+", text))

    known = {f"PENSTOCK_{field.upper()}" for field in Settings.model_fields}
    assert used <= known | {str(parameter.envvar) for parameter in command.params}


def test_what_is_reloaded_and_how_it_ends_fits_the_server() -> None:
    service = read("penstock.service")["Service"]

    assert service["Type"] == "notify"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["KillMode"] == "mixed"  # the workers are the supervisor's to end
    patience = Settings.model_fields["shutdown_timeout"].default
    assert float(service["TimeoutStopSec"]) > patience + 10


def test_all_services_are_shut_in_alike() -> None:
    def hardening(name: str) -> str:
        text = (UNITS / name).read_text()
        return text[text.index("# It needs its own folders") : text.index("[Install]")]

    assert len({hardening(name) for name in SERVICES}) == 1


def test_the_server_works_with_what_the_units_leave_it(
    tmp_path: Path, start_server: StartServer
) -> None:
    if shutil.which("systemd-analyze") is None or ctypes.util.find_library("seccomp") is None:
        pytest.skip("systemd-analyze or libseccomp is not installed")
    if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 3):
        pytest.skip("this kernel has no PR_SET_MDWE")
    unit = (UNITS / "penstock.service").read_text()
    filters = re.findall(r"^SystemCallFilter=(.*)", unit, re.MULTILINE)
    assert filters == ["@system-service", "~@privileged"]
    server = RunningServer(tmp_path / "data", [sys.executable, str(_SANDBOX)], workers=2)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    answers = []
    for method, path, body in (
        ("PUT", "/v1/files/text", b"line\n" * 10_000),
        ("GET", "/v1/files/text", None),
        ("GET", "/v1/zip?prefix=&compress=deflate", None),
        ("GET", "/", None),
        ("POST", "/v1/archives", b'{"prefix": ""}'),
        ("DELETE", "/v1/files/text", None),
    ):
        headers = {"Accept-Encoding": "gzip", "Content-Type": "application/json"}
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        response.read()
        answers.append(response.status)
    connection.close()

    assert answers == [201, 200, 200, 200, 202, 204]
    assert server.stop() == 0
    log = server.log.read_text()
    assert "Permission" not in log
    assert "not permitted" not in log
