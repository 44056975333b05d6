"""The manual pages and the completion, which are made of the commands."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import get_completion_class

from penstock.cli.root import COMMANDS, root
from tools import manual


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("man")
    manual.write(folder)
    return folder


def test_there_is_a_page_for_each_command(pages: Path) -> None:
    names = {path.name for path in pages.iterdir()}

    assert names == {"penstock.1", *(f"penstock-{name}.1" for name in COMMANDS)}


@pytest.mark.parametrize("command", [["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z"]])
def test_troff_has_nothing_to_say_against_them(pages: Path, command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")

    ran = subprocess.run([*command, *sorted(pages.iterdir())], capture_output=True, text=True)

    assert (ran.returncode, ran.stderr) == (0, "")


def test_mandoc_has_nothing_to_say_against_them(pages: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")

    ran = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *sorted(pages.iterdir())],
        capture_output=True,
        text=True,
    )

    assert (ran.returncode, ran.stdout) == (0, "")


def test_options_and_their_variables_are_told(pages: Path) -> None:
    text = (pages / "penstock-serve.1").read_text()

    assert ".B \\-\\-workers N\n" in text
    assert "PENSTOCK_WORKERS" in text
    assert ".B 130\n" in text


def test_nothing_is_taken_for_an_instruction() -> None:
    assert manual._text(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert manual._text("a \\n 'b' -c") == "a \\en \\(aqb\\(aq \\-c"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_completes_each_command(shell: str) -> None:
    kind = get_completion_class(shell)
    assert kind is not None
    completes = kind(root, {}, "penstock", "_PENSTOCK_COMPLETE")

    assert {item.value for item in completes.get_completions([], "")} == set(COMMANDS)
    for name in COMMANDS:
        assert "--help" in {item.value for item in completes.get_completions([name], "--")}


@pytest.mark.parametrize(("shell", "word"), [("bash", "1"), ("zsh", "1"), ("fish", "serv")])
def test_each_shell_is_answered_as_its_script_asks(shell: str, word: str) -> None:
    asked = {"COMP_WORDS": "penstock serv", "COMP_CWORD": word}

    ran = subprocess.run(
        [sys.executable, "-m", "penstock"],
        env={**os.environ, "_PENSTOCK_COMPLETE": f"{shell}_complete", **asked},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert "serve" in ran.stdout, ran.stderr
