"""``penstock config show`` tells what is in force, and why."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from penstock.settings import Settings
from penstock.settings_origins import Kind, settings_with_origins
from tests.cli.running import CliHere, Ran


@pytest.fixture
def penstock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CliHere:
    return CliHere("", tmp_path, monkeypatch, capsys)


def shown(ran: Ran) -> dict[str, tuple[object, str, str | None]]:
    """Value, origin and where it is, by name."""
    told = (each for each in ran.messages if each["message_type"] == "setting")
    return {each["name"]: (each["value"], each["origin"], each["where"]) for each in told}


def test_each_value_is_told_with_where_it_is_from(penstock: CliHere) -> None:
    file = penstock.folder / "penstock.toml"
    file.write_text("port = 1\nmax_body = '1MiB'\npulls = 7\n")
    variables: dict[str, Any] = {
        "PENSTOCK_PORT": "2",
        "PENSTOCK_MAX_BODY": "2MiB",
        "AWS_S3_BUCKET": "films",
    }

    ran = penstock("config", "show", "--json", "--port", "3", **variables)

    told = shown(ran)
    assert told["port"] == (3, "flag", "--port")
    assert told["max_body"] == (2 << 20, "environment", "PENSTOCK_MAX_BODY")
    assert told["pulls"] == (7, "file", str(file))
    assert told["store"] == ("s3://films", "streamvault", "AWS_S3_BUCKET")
    assert told["host"] == ("127.0.0.1", "default", None)
    assert [*told] == [*Settings.model_fields]


def test_what_it_prints_is_a_settings_file_that_means_the_same(penstock: CliHere) -> None:
    variables: dict[str, Any] = {"PENSTOCK_REMOTE_ALLOW": 'a "name"', "PENSTOCK_SHA256": "no"}

    ran = penstock("config", "show", "--origins", **variables)

    told = tomllib.loads(ran.out.decode())
    assert (told["remote_allow"], told["sha256"], told["port"]) == ('a "name"', False, 8080)
    assert "environment: PENSTOCK_SHA256" in ran.out.decode()


def test_only_what_was_set_is_shown_if_asked(penstock: CliHere) -> None:
    ran = penstock("config", "show", "--changed", PENSTOCK_PORT="81")

    assert ran.lines == ["port = 81"]


def test_secrets_are_not_shown(penstock: CliHere) -> None:
    variables: dict[str, Any] = {
        "PENSTOCK_SECRET": "hunter2",
        "PENSTOCK_CATALOG": "postgresql+psycopg://me:hunter2@host/catalog?password=hunter2",
        "PENSTOCK_HOOKS_URL": "https://me:hunter2@example.org/hook?key=hunter2",
    }

    for options in ((), ("--origins",), ("--json",)):
        ran = penstock("config", "show", *options, **variables)
        assert "***" in ran.out.decode()
        assert "hunter2" not in ran.out.decode() + ran.err


def test_names_that_nobody_heeds_are_pointed_out(penstock: CliHere) -> None:
    (penstock.folder / "penstock.toml").write_text("prot = 1\n")

    ran = penstock("config", "show", PENSTOCK_IO_THREDS="3", PENSTOCK_TOKEN="x")

    assert ran.code == 0
    assert ran.err.splitlines() == [
        f"penstock: {name} in {where} is no setting, and is ignored; {meant} may be meant"
        for name, where, meant in (
            ("PENSTOCK_IO_THREDS", "the environment", "PENSTOCK_IO_THREADS"),
            ("prot", f"{penstock.folder}/penstock.toml", "port"),
        )
    ]


def test_a_file_that_is_no_toml_is_told(penstock: CliHere) -> None:
    (penstock.folder / "penstock.toml").write_text("port 1")

    for command in (("config", "show"), ("serve",)):
        ran = penstock(*command)
        assert (ran.code, "penstock.toml is no TOML" in ran.err) == (2, True)


def test_why_a_value_cannot_be_is_told_in_our_words(penstock: CliHere) -> None:
    ran = penstock("config", "show", PENSTOCK_CORS_ORIGINS="nowhere")

    assert ran.code == 2
    assert "--cors-origins (or PENSTOCK_CORS_ORIGINS): 'nowhere' is no origin" in ran.err


def test_the_settings_are_those_that_the_server_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("penstock_pulls", "9")

    settings, origins = settings_with_origins({"port": 5})

    assert settings.model_dump() == Settings(port=5).model_dump()
    assert origins["pulls"].where == "penstock_pulls"
    assert origins["port"].kind is Kind.FLAG
