"""``penstock tokens``, ``audit``, ``login`` and ``logout``, and the token of every command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Cli, CliHere, Ran
from tests.serving import RunningServer


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that asks for tokens."""
    made = RunningServer(tmp_path_factory.mktemp("guarded") / "data", access="on")
    try:
        yield made
    finally:
        assert made.stop() == 0


@pytest.fixture
def penstock(
    guarded: RunningServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> CliHere:
    folder = tmp_path / "work"
    folder.mkdir()
    return CliHere(guarded.url, folder, monkeypatch, capsys)


def local(penstock: Cli | CliHere, server: RunningServer, *arguments: str) -> Ran:
    """``penstock tokens`` on the server's host."""
    command, *rest = arguments
    return penstock("tokens", command, "--data", server.data, *rest)


@pytest.fixture(scope="module")
def admin(guarded: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A token for everything, made by who has none."""
    here = Cli(guarded.url, tmp_path_factory.mktemp("host"))
    ran = local(here, guarded, "add", "operator", "--scope", "admin")
    assert ran.code == 0, ran.err
    (text,) = ran.lines
    return text


def home(penstock: CliHere) -> dict[str, Any]:
    """Where logins are kept."""
    return {"XDG_CONFIG_HOME": str(penstock.folder / "config")}


def test_who_has_no_token_is_told_how_to_give_one(penstock: CliHere) -> None:
    ran = penstock("ls", **home(penstock))

    assert ran.code == 6
    for way in ("penstock login", "--token-file", "PENSTOCK_TOKEN"):
        assert way in ran.err


@pytest.mark.parametrize("way", ["variable", "file", "option"])
def test_each_way_to_give_a_token_is_good(penstock: CliHere, admin: str, way: str) -> None:
    file = penstock.folder / "token"
    file.write_text(f"{admin}\n")
    ran = {
        "variable": lambda: penstock("ls", PENSTOCK_TOKEN=admin),
        "file": lambda: penstock("ls", "--token-file", file),
        "option": lambda: penstock("ls", "--token", admin),
    }[way]()

    assert (ran.code, ran.err) == (0, "")


def test_files_go_both_ways_with_a_token(penstock: CliHere, admin: str) -> None:
    film = penstock.folder / "film"
    film.write_bytes(bytes(range(256)) * 50_000)

    put = penstock("put", film, PENSTOCK_TOKEN=admin)
    got = penstock("get", "film", "--output", "copy", PENSTOCK_TOKEN=admin)
    uploaded = penstock("upload", "--file", film, PENSTOCK_TOKEN=admin)

    assert (put.code, got.code, uploaded.code) == (0, 0, 0), (put.err, got.err, uploaded.err)
    assert (penstock.folder / "copy").read_bytes() == film.read_bytes()


def test_a_token_is_made_listed_and_ended(
    penstock: CliHere, guarded: RunningServer, admin: str
) -> None:
    made = penstock(
        *("tokens", "add", "camera", "--scope", "write", "--scope", "read"),
        *("--prefix", "photos/", "--expires", "2d", "--requests-per-second", "5", "--rate", "1M"),
        "--json",
        PENSTOCK_TOKEN=admin,
    )
    info = made.messages[0]
    assert (info["prefix"], info["scopes"]) == ("photos/", ["read", "write"])
    assert (info["request_rate"], info["byte_rate"]) == (5.0, 1 << 20)

    listed = penstock("tokens", "ls", "--json", PENSTOCK_TOKEN=admin)
    assert info["id"] in [each.get("id") for each in listed.messages]
    assert info["token"] not in listed.out.decode()
    (penstock.folder / "cat").touch()
    within = penstock("put", "cat", "--to", "photos/", PENSTOCK_TOKEN=info["token"])
    outside = penstock("ls", "films/", PENSTOCK_TOKEN=info["token"])
    assert (within.code, outside.code) == (0, 6), within.err

    removed = local(penstock, guarded, "rm", info["id"])
    again = penstock("tokens", "rm", info["id"], PENSTOCK_TOKEN=admin)
    assert (removed.code, again.code) == (0, 4)


def test_who_may_write_no_catalog_makes_no_token_here(penstock: CliHere, tmp_path: Path) -> None:
    ran = penstock("tokens", "add", "x", "--scope", "read", "--data", tmp_path / "nothing")

    assert (ran.code, ran.out) == (4, b"")
    assert "start the server once" in ran.err


def test_the_audit_log_tells_who_made_a_token(penstock: CliHere, admin: str) -> None:
    penstock("tokens", "add", "noted", "--scope", "read", PENSTOCK_TOKEN=admin)

    ran = penstock("audit", "--action", "token.add", "--json", PENSTOCK_TOKEN=admin)

    lines = [each for each in ran.messages if each["message_type"] == "audit"]
    actors = [line["actor"] for line in lines]
    assert (actors[0], actors[-1]) == ("console", "token:" + admin.split("_")[1])
    assert admin not in ran.out.decode()


def test_a_process_of_its_own_reads_the_token_from_its_input(penstock: CliHere, admin: str) -> None:
    alone = Cli(penstock.server, penstock.folder)

    ran = alone("ls", "--token-file", "-", stdin=f"{admin}\n".encode())

    assert (ran.code, ran.err) == (0, "")


def test_who_may_write_only_puts_small_and_large_files(
    penstock: CliHere, guarded: RunningServer, admin: str
) -> None:
    made = penstock(
        "tokens", "add", "in", "--scope", "write", "--prefix", "in", "--json", PENSTOCK_TOKEN=admin
    )
    token = made.messages[0]["token"]
    for name, size in {"small": 3, "large": 9 << 20}.items():
        (penstock.folder / name).write_bytes(bytes(size))

    within = penstock("put", "small", "large", "--to", "in/", PENSTOCK_TOKEN=token)
    outside = penstock("put", "small", "--to", "out/", PENSTOCK_TOKEN=token)

    assert within.code == 0, within.err
    assert (outside.code, "below in/ only" in outside.err) == (6, True), outside.err
    listed = penstock("ls", "-l", "in/", PENSTOCK_TOKEN=admin)
    assert [line.split()[-1] for line in listed.lines] == ["in/large", "in/small"]


def test_an_empty_folder_binds_no_token_to_everything(penstock: CliHere, admin: str) -> None:
    ran = penstock("tokens", "add", "x", "--scope", "read", "--prefix", "", PENSTOCK_TOKEN=admin)

    assert (ran.code, "name a folder" in ran.err) == (2, True)


def test_what_a_scope_may_be_is_told_in_one_line(penstock: CliHere) -> None:
    ran = penstock("tokens", "add", "x")

    assert "Choose from: read, write, archive, admin" in ran.err


def test_a_time_of_more_than_a_century_is_none(penstock: CliHere) -> None:
    ran = penstock("tokens", "add", "x", "--scope", "read", "--expires", "99999999999d")

    assert (ran.code, "more than a hundred years" in ran.err) == (2, True)


def test_an_address_that_is_none_has_no_login(penstock: CliHere) -> None:
    ran = penstock("logout", "--server", "http://host:99999")

    assert (ran.code, "--server" in ran.err) == (2, True)


def test_a_login_is_kept_for_its_server_and_forgotten(penstock: CliHere, admin: str) -> None:
    stored = penstock("login", stdin=f"{admin}\n".encode(), **home(penstock))
    listed = penstock("ls", **home(penstock))
    left = penstock("logout", **home(penstock))
    after = penstock("ls", **home(penstock))

    assert (stored.code, listed.code, left.code, after.code) == (0, 0, 0, 6), stored.err
    everything = b"".join(ran.out + ran.err.encode() for ran in (stored, listed, left))
    assert admin.encode() not in everything


def test_a_wrong_token_is_not_kept(penstock: CliHere) -> None:
    wrong = f"pst_{'a' * 12}_{'b' * 43}"

    ran = penstock("login", stdin=wrong.encode(), **home(penstock))

    assert ran.code == 6
    assert wrong not in ran.err
    assert not (penstock.folder / "config").exists()


def test_logins_that_others_can_read_are_refused(penstock: CliHere, admin: str) -> None:
    penstock("login", stdin=f"{admin}\n".encode(), **home(penstock))
    file = penstock.folder / "config/penstock/tokens.toml"
    assert file.stat().st_mode & 0o077 == 0
    file.chmod(0o640)

    ran = penstock("ls", "--json", **home(penstock))

    assert (ran.code, "chmod 600" in ran.out.decode()) == (6, True)
    assert json.loads(ran.lines[0])["code"] == "forbidden"


def test_two_tokens_at_once_are_not_understood(penstock: CliHere) -> None:
    ran = penstock("ls", "--token", "a", "--token-file", "b")

    assert (ran.code, "not both" in ran.err) == (2, True)
