"""The databases that the catalog runs on."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from penstock.catalog import open_database

_DEBIAN = Path("/usr/lib/postgresql")
_STARTS = 3
"""Another program may take the port before PostgreSQL does."""


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's programs; ``None`` too where there are only those of clients."""
    # Debian keeps them off the path.
    debian = {int(found.parents[1].name): found for found in _DEBIAN.glob("[1-9][0-9]/bin/initdb")}
    found = debian[max(debian)] if debian else shutil.which("initdb")
    return Path(found).parent if found else None


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the session."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (initdb was not found)")
    # Not below pytest's own folder: every session that begins shuts that to other users.
    folder = Path(tempfile.mkdtemp(prefix="penstock-postgres-"))
    # PostgreSQL refuses to run as root.
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if prefix:
        shutil.chown(folder, "postgres")
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        command = [*prefix, str(programs / program), "-D", str(data), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=60)

    run("initdb", "--auth=trust", "--username=penstock", "--no-sync")
    for attempt in range(_STARTS):
        port = _free_port()
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        started = subprocess.run(
            [*prefix, str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"),
             "-o", options, "start"],
            check=attempt == _STARTS - 1, cwd=folder, timeout=60, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        if started.returncode == 0:
            break
    yield f"postgresql+psycopg://penstock@127.0.0.1:{port}/postgres"
    # Without waiting: where nobody reaps orphans, a dead server looks alive for ever.
    stop = [*prefix, str(programs / "pg_ctl"), "-D", str(data), "-W", "-m", "immediate", "stop"]
    subprocess.run(stop, check=False, capture_output=True, timeout=60)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A fresh catalog on each kind of database in turn."""
    opened = open_database(url)
    yield opened
    opened.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each kind of database in turn, empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/catalog.sqlite"
    server = str(request.getfixturevalue("postgres"))
    name = f"d{abs(hash(str(tmp_path))):x}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.rpartition("/")[0] + f"/{name}"
