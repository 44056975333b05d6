"""Every failure has an exit code and one clear line; none shows a traceback."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.cli.running import Cli, kinds
from tests.client.proxy import proxy_to
from tests.conftest import StartServer
from tests.serving import RunningServer


def test_nothing_there(penstock: Cli) -> None:
    ran = penstock("get", "missing/file")

    assert ran.code == 4
    assert ran.err == "penstock: error: nothing is stored at 'missing/file'\n"
    assert os.listdir(penstock.folder) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("put", "no-such-file"),
        ("get", "missing/"),
        ("ls", "missing"),
        ("rm", "missing"),
        ("rm", "-r", "missing/"),
        ("zip", "missing/"),
    ],
)
def test_not_found_is_4(penstock: Cli, arguments: tuple[str, ...]) -> None:
    ran = penstock(*arguments)

    assert ran.code == 4
    assert ran.err.startswith("penstock: error: ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("put",),
        ("nonsense",),
        ("put", "-"),
        ("put", "-", "--to", "folder/"),
        ("put", "a/x", "b/x"),
        ("get", "a/x", "b/x"),
        ("get", "a", "b", "-o", "-"),
        ("get", "a", "--limit-rate", "fast"),
        ("get", "a", "--server", "nonsense"),
        ("get", "../a"),
        ("rm", "folder/"),
        ("completion", "nonsense"),
    ],
)
def test_usage_is_2(penstock: Cli, arguments: tuple[str, ...]) -> None:
    ran = penstock(*arguments)

    assert ran.code == 2
    assert ran.err.startswith("penstock: error: ")


def test_an_unreachable_server_is_5_and_told_at_once(tmp_path: Path) -> None:
    ran = Cli("http://127.0.0.1:1", tmp_path)("get", "anything")

    assert ran.code == 5
    assert "cannot reach http://127.0.0.1:1 (Connection refused)" in ran.err


def test_a_refusal_is_6(start_server: StartServer, penstock: Cli, film: Path) -> None:
    server = start_server(max_body=1000)

    ran = penstock("put", film, "--server", server.url)

    assert ran.code == 6
    assert ran.err.startswith("penstock: error: ")


async def test_a_mismatch_is_7(server: RunningServer, penstock: Cli, film: Path) -> None:
    await asyncio.to_thread(penstock, "put", film, "--to", "flipped")
    async with proxy_to(server.url) as proxy:
        proxy.flip_answer = 2 << 20

        ran = await asyncio.to_thread(
            penstock, "get", "flipped", "-o", "copy", "--server", proxy.url
        )

    assert ran.code == 7
    assert "not the right ones" in ran.err
    assert not (penstock.folder / "copy").exists()


def test_some_of_several_failed_is_3(penstock: Cli) -> None:
    (penstock.folder / "good").write_text("good")

    ran = penstock("put", "good", "missing", "--to", "partial/", "--json")

    assert ran.code == 3
    assert sorted(kinds(ran.messages)) == ["error", "stored", "summary"]
    assert (ran.messages[-1]["done"], ran.messages[-1]["failed"]) == (1, 1)
    assert ran.messages[-1]["exit_code"] == 3


def test_all_of_several_failed_alike(penstock: Cli) -> None:
    assert penstock("get", "missing1", "missing2").code == 4


def test_errors_are_json_too(penstock: Cli) -> None:
    found = penstock("get", "missing", "--json")
    usage = penstock("get", "a", "-o", "-", "--json")

    error = found.messages[0]
    assert (error["message_type"], error["code"], error["exit_code"]) == ("error", "not-found", 4)
    assert error["key"] == "missing"
    assert (usage.messages[0]["code"], usage.messages[0]["exit_code"]) == ("usage", 2)
    assert found.err == usage.err == ""


def test_a_disk_that_cannot_be_written_is_told(penstock: Cli, film: Path) -> None:
    penstock("put", film, "--to", "full")

    ran = penstock("get", "full", "-o", "/dev/full")

    assert (ran.code, ran.err) == (1, "penstock: error: full: No space left on device\n")


def test_a_hostile_name_cannot_drive_the_terminal(penstock: Cli) -> None:
    ran = penstock("get", "a\x1b[2Jb")

    assert "\x1b" not in ran.err
