"""Starting: version, help, completion; nothing heavy is imported for them."""

import subprocess
import sys
from pathlib import Path

import pytest

from penstock import __version__
from tests.cli.running import COMMAND

HEAVY = {"aiohttp", "pydantic", "rich", "sqlalchemy"}


def imported_by(*arguments: str) -> set[str]:
    """The top-level packages that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "penstock", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert lines
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)


def test_the_installed_command_tells_its_version() -> None:
    script = Path(sys.executable).with_name("penstock")

    told = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)

    assert told.stdout == f"penstock {__version__}\n"


def test_the_version_imports_next_to_nothing() -> None:
    assert imported_by("--version") & {*HEAVY, "click", "asyncio"} == set()


def test_help_imports_nothing_heavy() -> None:
    assert imported_by("--help") & {*HEAVY, "asyncio"} == set()


def test_help_of_a_client_command_imports_nothing_heavy() -> None:
    assert imported_by("get", "--help") & HEAVY == set()


@pytest.mark.parametrize(
    "command",
    [
        *("serve", "worker", "relay", "node", "put", "get", "ls", "rm", "zip"),
        *("pull", "pulls", "jobs", "completion"),
    ],
)
def test_every_command_explains_itself_and_its_exit_codes(command: str) -> None:
    done = run(command, "--help")

    assert done.returncode == 0
    assert "Exit codes:" in done.stdout
    assert "130  interrupted" in done.stdout
    assert command in run("--help").stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    done = run("completion", shell)

    assert done.returncode == 0
    assert "_PENSTOCK_COMPLETE" in done.stdout


def test_completion_knows_the_commands() -> None:
    done = subprocess.run(
        COMMAND,
        capture_output=True,
        text=True,
        env={"_PENSTOCK_COMPLETE": "bash_complete", "COMP_WORDS": "penstock ", "COMP_CWORD": "1"},
    )

    assert {line.partition(",")[2] for line in done.stdout.splitlines()} >= {"put", "get", "zip"}


def test_no_command_shows_the_help() -> None:
    done = run()

    assert done.returncode == 2
    assert "Commands:" in done.stderr
