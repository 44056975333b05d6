"""``penstock serve`` takes every setting as a flag."""

import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from penstock.settings import Settings
from tests.cli.running import COMMAND

Process: TypeAlias = "subprocess.Popen[str]"


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "serve", *arguments], capture_output=True, text=True, cwd=folder, timeout=30
    )


def test_every_setting_is_in_the_help(tmp_path: Path) -> None:
    text = " ".join(run("--help", folder=tmp_path).stdout.split())

    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')} " in text
        assert f"PENSTOCK_{name.upper()}" in text
        assert (field.description or "?")[1:20] in text


@contextmanager
def serving(*arguments: str, folder: Path, **variables: str) -> Iterator[tuple[Process, str]]:
    """A running server and the URL that it announced."""
    process = subprocess.Popen(
        [*COMMAND, "serve", *arguments],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()[-1]
        process.kill()


def test_flags_win_over_the_environment(tmp_path: Path) -> None:
    flags = ("--port", "0", "--data", "here", "--no-sha256")
    variables = {"PENSTOCK_PORT": "1", "PENSTOCK_DATA": "there", "PENSTOCK_HOST": "127.0.0.2"}

    with serving(*flags, folder=tmp_path, **variables) as (process, url):
        with urllib.request.urlopen(f"{url}/livez") as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=30) == 0
    assert url.startswith("http://127.0.0.2:")
    assert os.listdir(tmp_path) == ["here"]


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--port", "99999"), ("--port", "x"), ("--max-body", "much"), ("--log-level", "loud")],
)
def test_a_wrong_value_is_told_with_its_flag(tmp_path: Path, flag: str, value: str) -> None:
    ran = run(flag, value, folder=tmp_path)

    assert ran.returncode == 2
    assert ran.stderr.startswith("penstock: error: ")
    assert flag in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with serving("--port", "0", folder=tmp_path) as (_, url):
        second = run("--port", url.rpartition(":")[2], "--data", "other", folder=tmp_path)

    assert second.returncode == 1
    assert "penstock: error: " in second.stderr
    assert "in use" in second.stderr
    assert "Traceback" not in second.stderr


def test_jobs_that_nobody_could_do_are_refused_at_the_start(tmp_path: Path) -> None:
    ran = run("--store", "memory://", "--no-worker", "--port", "0", folder=tmp_path)

    assert ran.returncode == 2
    assert ran.stderr.startswith("penstock: error: ")
    assert "--no-worker" in ran.stderr
