"""``penstock doctor`` says what is well and what is not, and changes nothing."""

import asyncio
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from penstock.catalog import open_database, sqlite_url
from penstock.doctor import Finding, State, on_s3
from penstock.doctor.on_s3 import ABILITIES
from penstock.settings import Settings
from penstock.stores.s3.abilities import Abilities
from penstock.wiring import examination
from tests.catalog.conftest import postgres
from tests.cli.running import Cli, Ran
from tests.s3.fixtures import s3_server
from tests.s3.front import LIST, Seen, front_of, held, with_header
from tests.s3.servers import S3Server
from tests.s3.uploads import names_in

__all__ = ["postgres", "s3_server"]

on_one = pytest.mark.parametrize("s3_server", ["ministack"], indirect=True)


@pytest.fixture
def penstock(tmp_path: Path) -> Cli:
    """The command in an empty folder; there is no server."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Cli("http://127.0.0.1:1", folder)


def examined(penstock: Cli, *arguments: str, **settings: object) -> Ran:
    variables = {f"PENSTOCK_{name.upper()}": str(value) for name, value in settings.items()}
    return penstock("doctor", *arguments, stdin=b"", **variables)


def found(ran: Ran) -> dict[str, dict[str, Any]]:
    """The findings of ``--json`` by name."""
    return {each["name"]: each for each in ran.messages if each["message_type"] == "finding"}


async def looked(**settings: Any) -> dict[str, Finding]:
    """The findings, without a process of their own."""
    made = await asyncio.to_thread(lambda: examination(Settings(**settings)))
    return {finding.name: finding async for finding in made.findings()}


def broken(findings: dict[str, Finding]) -> list[str]:
    return [name for name, finding in findings.items() if finding.state is State.BROKEN]


def test_a_place_where_nothing_is_yet_is_well_and_stays_empty(penstock: Cli) -> None:
    ran = examined(penstock)

    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[-1] == "all is well"
    assert all(line.startswith("ok ") for line in ran.lines[:-1])
    assert os.listdir(penstock.folder) == []


def test_a_variable_that_other_commands_use_is_no_option_of_it(penstock: Cli) -> None:
    ran = penstock("doctor", PENSTOCK_TOKEN_FILE="token", PENSTOCK_TOKEN="x")
    asked = penstock("doctor", "--token-file", "token")

    assert (ran.code, ran.lines[-1]) == (0, "all is well"), ran.err
    assert (asked.code, "go with --through" in asked.err) == (2, True)


def test_a_store_that_is_there_is_written_to(penstock: Cli) -> None:
    (penstock.folder / "penstock-data/files").mkdir(parents=True)
    open_database(sqlite_url(penstock.folder / "penstock-data/catalog.sqlite")).dispose()

    ran = examined(penstock, "--json")

    assert (ran.code, {each["state"] for each in found(ran).values()}) == (0, {"ok"})
    assert "a file was written" in found(ran)["store can be written"]["text"]
    assert "of this version" in found(ran)["catalog's schema"]["text"]
    assert ran.messages[-1] == {
        "message_type": "summary",
        "command": "doctor",
        "ok": len(found(ran)),
        "exit_code": 0,
    }


async def test_a_folder_that_cannot_be_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    findings = await looked(data=file / "data", store=file.as_uri())

    assert broken(findings) == [f"folder {file}/data", "store can be opened"]


async def test_a_folder_that_cannot_be_looked_at_ends_nothing(tmp_path: Path) -> None:
    findings = await looked(data=tmp_path / ("x" * 300))

    assert broken(findings) == ["catalog can be used"]
    assert "too long" in findings["catalog can be used"].text


@pytest.mark.parametrize("store", ["ftp://example.org/", "file://elsewhere/files"])
async def test_a_store_that_nobody_knows_is_broken(tmp_path: Path, store: str) -> None:
    findings = await looked(data=tmp_path, store=store)

    assert findings["store can be opened"].text.startswith("unknown store")


@pytest.mark.parametrize(("revision", "state"), [("0001", "warning"), ("9999", "broken")])
def test_a_catalog_of_another_version_is_said(tmp_path: Path, revision: str, state: str) -> None:
    url = sqlite_url(tmp_path / "catalog.sqlite")
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))

    findings = asyncio.run(looked(data=tmp_path, catalog=url))

    assert findings["catalog's schema"].state == state
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == revision
    engine.dispose()


async def test_a_catalog_on_postgresql_tells_its_clock(tmp_path: Path, postgres: str) -> None:
    findings = await looked(data=tmp_path, catalog=postgres)

    assert broken(findings) == []
    assert "this host's" in findings["catalog's clock"].text


async def test_a_catalog_that_is_no_url_is_broken(tmp_path: Path) -> None:
    findings = await looked(data=tmp_path, catalog="postgresql+psycopg://me@host:port/catalog")

    assert "must be sqlite:///file or postgresql" in findings["catalog can be used"].text


async def test_a_catalog_in_a_folder_that_nobody_makes_is_broken(tmp_path: Path) -> None:
    findings = await looked(data=tmp_path, catalog=sqlite_url(tmp_path / "none/catalog.sqlite"))

    assert broken(findings) == ["catalog's schema"]


async def test_a_catalog_that_is_not_there_is_broken(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    url = "postgresql+psycopg://me:hunter2@127.0.0.1:1/catalog?sslpassword=hunter2"

    findings = await looked(data=tmp_path, catalog=url)

    assert broken(findings) == ["catalog can be used"]
    assert "hunter2" not in str(findings)


def test_s3_is_looked_over_and_left_as_it_was(penstock: Cli, s3_server: S3Server) -> None:
    prefix = f"t/{uuid4().hex}"

    ran = examined(penstock, "--json", **s3_server.settings(prefix))

    assert ran.code == 0, ran.lines
    names = found(ran)
    assert names["S3 bucket can be written"]["state"] == "ok"
    assert "this host's" in names["S3 server's clock"]["text"]
    assert names[f"S3: {ABILITIES['put_if_absent'][0]}"]["state"] == "ok"
    if s3_server.kind == "swift":
        assert names[f"S3: {ABILITIES['crc32'][0]}"] == {
            "message_type": "finding",
            "name": "S3: PutObject verifies CRC-32",
            "state": "absent",
            "text": "no: bytes are verified by their MD5, which takes more of the processor",
        }
    assert s3_server.secret_key == "test" or s3_server.secret_key not in ran.out.decode()
    assert asyncio.run(names_in(s3_server, prefix)) == []


@pytest.mark.parametrize("s3_server", ["swift"], indirect=True)  # ministack takes any
def test_a_wrong_secret_is_broken_and_not_shown(penstock: Cli, s3_server: S3Server) -> None:
    settings = {**s3_server.settings("t"), "s3_secret_key": "hunter2"}

    ran = examined(penstock, **settings)

    assert ran.code == 1
    assert "refuses access" in ran.out.decode()
    assert "hunter2" not in ran.out.decode() + ran.err


@on_one
async def test_a_bucket_that_is_not_there_is_broken(tmp_path: Path, s3_server: S3Server) -> None:
    settings = {**s3_server.settings("t"), "store": "s3://penstock-no-such-bucket/t"}

    findings = await looked(data=tmp_path, **settings)

    assert "the bucket does not exist" in findings["S3 bucket can be listed"].text


def test_a_server_that_is_not_there_is_broken(penstock: Cli) -> None:
    keys = {"s3_access_key": "me", "s3_secret_key": "hunter2"}

    ran = examined(penstock, store="s3://bucket", s3_endpoint="http://127.0.0.1:1", **keys)

    assert ran.code == 1
    assert "broken   S3 server can be reached" in ran.out.decode()
    assert "hunter2" not in ran.out.decode() + ran.err


@on_one
async def test_uploads_that_were_left_are_not_swept(tmp_path: Path, s3_server: S3Server) -> None:
    async with front_of(s3_server) as front:
        settings = {**s3_server.settings("t"), "s3_endpoint": front.url}

        findings = await looked(data=tmp_path, **settings)

        assert (broken(findings), front.count(LIST)) == ([], 1)


@on_one
async def test_a_server_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_s3, "_PATIENCE", 0.2)
    async with front_of(s3_server) as front:
        front.wrong(LIST, held(gate := asyncio.Event()))
        settings = {**s3_server.settings("t"), "s3_endpoint": front.url}

        findings = await looked(data=tmp_path, **settings)
        gate.set()

    assert broken(findings) == ["S3 bucket can be listed"]
    assert "in time" in findings["S3 bucket can be listed"].text


def _root(seen: Seen) -> bool:
    return seen.path == "/"


@on_one
@pytest.mark.parametrize(
    ("date", "state"),
    [("Thu, 01 Jan 2026 00:00:00 GMT", "broken"), ("", "warning")],
)
async def test_a_clock_that_is_wrong_is_said(
    tmp_path: Path, s3_server: S3Server, date: str, state: str
) -> None:
    async with front_of(s3_server) as front:
        front.wrong(_root, with_header("Date", date))
        settings = {**s3_server.settings("t"), "s3_endpoint": front.url}

        findings = await looked(data=tmp_path, **settings)

    assert findings["S3 server's clock"].state == state


def test_every_ability_has_its_words() -> None:
    assert set(ABILITIES) == {*Abilities().described(), "forms"}
