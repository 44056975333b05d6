"""What the doctor says of the host, the catalog and the settings."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from penstock.catalog import open_database, sqlite_url
from penstock.catalog.schema import jobs, lanes, outbox, tokens
from penstock.doctor import Finding, State, on_host
from penstock.doctor.on_host import file_system, look_at_clock, look_at_disk, look_at_limits
from penstock.settings import Settings
from penstock.wiring import examination
from tests.catalog.conftest import postgres

__all__ = ["postgres"]

_JOB: dict[str, Any] = {
    **dict.fromkeys(("owner", "key", "spec", "checkpoint", "saved"), ""),
    **dict.fromkeys(("valid", "token", "attempts", "failures", "done", "lines"), 0),
    **dict.fromkeys(("files_done", "furthest", "revision", "created"), 0),
    "kind": "pull",
    "state": "waiting",
    "cancelling": False,
}
_TOKEN: dict[str, Any] = {"digest": b"x", "prefix": "", "created": 0.0, "maker": "console"}
_LETTER: dict[str, Any] = {"id": "e", "subject": "u", "kind": "k", "body": "{}", "attempts": 9}


def filled(url: str, *rows: tuple[Any, dict[str, Any]]) -> None:
    """A catalog with these rows."""
    engine = open_database(url)
    with engine.begin() as connection:
        for table, values in rows:
            connection.execute(insert(table).values(**values))
    engine.dispose()


async def looked(**settings: Any) -> dict[str, Finding]:
    made = await asyncio.to_thread(lambda: examination(Settings(**settings)))
    return {finding.name: finding async for finding in made.findings()}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_what_is_left_in_the_catalog_is_told(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    sqlite = database == "sqlite"
    url = sqlite_url(tmp_path / "c.sqlite") if sqlite else request.getfixturevalue("postgres")
    now = time.time()
    await asyncio.to_thread(
        filled,
        url,
        (jobs, _JOB | {"id": "late", "lane": "small", "due": now - 100}),
        (jobs, _JOB | {"id": "soon", "lane": "large", "due": now + 100}),
        (lanes, {"name": "pull", "paused": True}),
        (outbox, _LETTER | {"created": now, "due": None}),
        (tokens, _TOKEN | {"id": "a", "name": "me", "scopes": "read admin"}),
        (tokens, _TOKEN | {"id": "b", "name": "cam", "scopes": "write", "expires": now + 86_400}),
    )

    found = await looked(data=tmp_path, catalog=url, access="on")

    assert found["jobs"].state is State.WARNING
    assert "1 in small wait" in found["jobs"].text
    assert "large" not in found["jobs"].text
    assert "held back: pull" in found["jobs"].text
    assert found["webhooks"].text.startswith("1 could not be delivered")
    assert found["tokens"].text.startswith("1 with the scope admin")
    assert "cam" in found["tokens' end"].text
    assert found["catalog's database"].text.lower().startswith(database)
    assert ("catalog's file" in found) is sqlite


async def test_a_lane_in_which_somebody_works_is_not_late(tmp_path: Path) -> None:
    now, url = time.time(), sqlite_url(tmp_path / "c.sqlite")
    running = {"state": "running", "holder": "w"}
    await asyncio.to_thread(
        filled,
        url,
        (jobs, _JOB | {"id": "waits", "lane": "small", "due": now - 100}),
        (jobs, _JOB | running | {"id": "runs", "lane": "small", "due": now + 15}),
    )

    found = await looked(data=tmp_path, catalog=url)

    assert found["jobs"].state is State.OK


async def test_a_damaged_catalog_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"

    def damage() -> None:
        filled(
            sqlite_url(file), *((lanes, {"name": f"{n:0500}", "paused": False}) for n in range(99))
        )
        content = bytearray(file.read_bytes())
        content[-8192:-4096] = bytes(4096)
        file.write_bytes(content)

    await asyncio.to_thread(damage)

    found = await looked(data=tmp_path, catalog=sqlite_url(file))

    states = {found[name].state for name in found if name.startswith("catalog")}
    assert State.BROKEN in states, found


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({"host": "0.0.0.0", "access": "off"}, "warning"),
        ({"host": "0.0.0.0"}, "ok"),
        ({"host": "127.0.0.1"}, "ok"),
        ({"host": "127.0.0.1", "public_url": "https://files.example.com"}, "warning"),
        ({"public_url": "https://files.example.com", "access": "on"}, "ok"),
        ({"host": "127.0.0.1", "public_url": "http://localhost:8080"}, "ok"),
    ],
)
async def test_a_server_that_is_open_to_everybody_is_told(
    tmp_path: Path, settings: dict[str, str], state: str
) -> None:
    found = await looked(data=tmp_path, **settings)

    assert found["access"].state == state


@pytest.mark.parametrize(
    ("public_url", "state"),
    [("https://files.example.com", "ok"), ("files.example.com", "broken"), ("http://[", "broken")],
)
async def test_a_public_url_is_one(tmp_path: Path, public_url: str, state: str) -> None:
    found = await looked(data=tmp_path, public_url=public_url)

    assert found["public_url"].state == state


async def test_names_that_nobody_heeds_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_MAX_BODIES", "1")

    found = await looked(data=tmp_path)

    assert "PENSTOCK_MAX_BODY may be meant" in found["names of settings"].text


def test_a_file_system_is_the_one_that_is_mounted_nearest(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
        f"2 1 0:5 / {tmp_path} rw shared:1 - nfs4 server:/x rw\n"
        f"3 2 0:6 / {tmp_path}/a\\040disk rw - xfs /dev/sdb rw\n"
    )

    names = ["data", "a disk/data", "../elsewhere"]
    assert [file_system(tmp_path / name, mounts) for name in names] == ["nfs4", "xfs", "ext4"]


@pytest.mark.parametrize(
    ("kind", "state"), [("nfs4", "warning"), ("tmpfs", "warning"), ("xfs", "ok")]
)
def test_a_file_system_that_is_not_for_data_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, state: str
) -> None:
    monkeypatch.setattr(on_host, "file_system", lambda path: kind)

    found = {finding.name: finding.state for finding in look_at_disk(tmp_path)}

    assert found[f"file system of {tmp_path}"] == state


def test_a_clock_that_nothing_keeps_right_matters_to_others_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(on_host, "_synchronised", lambda: False)

    assert look_at_clock(matters=True).state is State.WARNING
    assert look_at_clock(matters=False).state is State.OK


def test_too_few_open_files_are_told() -> None:
    assert look_at_limits(1).state is State.OK
    assert look_at_limits(10_000_000).state is State.WARNING
