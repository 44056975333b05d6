"""Scenarios against a real server, short and small."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from load.__main__ import main
from load.job import SCENARIOS
from tests.conftest import StartServer

_ROOT = Path(__file__).parents[2]


def loaded(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "load", *arguments, "--short", "--size", "32KiB"),
            *("--dir", str(tmp_path), "--results", str(tmp_path / "results")),
        ],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_zips_of_urls_are_right_under_load_and_leave_nothing_in_the_server(tmp_path: Path) -> None:
    done = loaded(tmp_path, "zip")

    assert done.returncode == 0, done.stdout + done.stderr
    [document] = (tmp_path / "results").glob("*-zip.json")
    told = json.loads(document.read_text())
    assert told["holds"]
    assert {one["what"] for one in told["returned"]} == {"rss", "descriptors", "threads", "tasks"}
    run = [one for one in told["transfers"] if one["phase"] == "run" and not one["error"]]
    assert run
    assert {one["content"] for one in run} == {10 * (32 << 10)}
    assert max(mark["users"] for mark in told["marks"]) == 20
    ET.parse(document.with_suffix(".svg"))
    assert "## zip: holds" in document.with_suffix(".md").read_text()


def test_a_mix_is_right_on_a_server_that_runs_already(
    tmp_path: Path, start_server: StartServer
) -> None:
    server = start_server(remote_allow="127.0.0.1")

    done = loaded(tmp_path, "mix", "--url", server.url)

    assert done.returncode == 0, done.stdout + done.stderr
    [document] = (tmp_path / "results").glob("*-mix.json")
    told = json.loads(document.read_text())
    assert not any(one["wrong"] for one in told["transfers"])
    assert {one["kind"] for one in told["transfers"] if not one["error"]} >= {
        *("zip", "put", "tus resumed", "get back", "range", "archive", "slow")
    }


def test_the_scenarios_are_told_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0

    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*SCENARIOS]


def test_a_scenario_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["unzip"])

    assert "no scenario is called unzip: zip, uploads" in capsys.readouterr().err
