"""``penstock archive``: what a person and a script see."""

import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from urllib.request import Request, urlopen

import pytest
from isal.isal_zlib import crc32

from tests.cli.running import COMMAND, Cli, kinds
from tests.cli.test_words import read_terminal
from tests.serving import RunningServer

PHOTOS = {"a.jpg": os.urandom(3_000_003), "sub/été.txt": b"text"}


@pytest.fixture
def folder(server: RunningServer, request: pytest.FixtureRequest) -> str:
    """A folder of the server that no other test has, with the files above."""
    name = re.sub(r"\W+", "-", request.node.name)
    for key, content in PHOTOS.items():
        path = server.data / "files" / "photos" / name / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return f"photos/{name}/"


@contextmanager
def held_back(penstock: Cli) -> Iterator[None]:
    """No archive is begun meanwhile."""

    def pause(value: bool) -> None:
        body = json.dumps({"paused": value}).encode()
        headers = {"Content-Type": "application/json"}
        url = f"{penstock.server}/v1/lanes/small"
        with urlopen(Request(url, body, headers, method="PUT"), timeout=30) as answer:
            assert answer.status == 200

    pause(True)
    try:
        yield
    finally:
        pause(False)


def begun(process: "subprocess.Popen[bytes]") -> str:
    """The id of the archive that a command with ``--json`` waits for."""
    assert process.stdout is not None
    return str(json.loads(process.stdout.readline())["id"])


def content(penstock: Cli, key: str) -> bytes:
    return penstock("get", key, "-o", "-").out


def fact(lines: list[str], name: str) -> str:
    """What a line says of that."""
    return next(line[12:] for line in lines if line[2:12].rstrip() == name)


def test_a_plan_is_told_and_nothing_begun(penstock: Cli, folder: str) -> None:
    planned = penstock("archive", folder, "--dry-run")
    told = penstock("archive", folder, "-n", "--json").messages[0]
    made = penstock("archive", folder, "--wait", "--json").messages[-2]

    key = f"exports/{folder.rstrip('/')}.zip"
    assert (planned.code, planned.err) == (0, "")
    assert planned.lines[0] == f"{key}  2.9 MiB  2 files"
    assert fact(planned.lines, "folder") == f"{folder}  2.9 MiB"
    assert fact(planned.lines, "lane") == "small"
    assert fact(planned.lines, "passes") == "2.9 MiB in, 2.9 MiB out"
    assert fact(planned.lines, "requests") == "0 PUT, 0 GET"
    assert fact(planned.lines, "takes").startswith("about ")
    assert fact(planned.lines, "costs") == "$0.00"
    assert told["message_type"] == "archive_plan"
    assert (made["key"], made["attempts"]) == (key, 1)
    for name in ("size", "files", "usage", "cost", "parts"):
        assert made[name] == told[name]


def test_without_waiting_it_is_told_how_to_look(penstock: Cli, folder: str) -> None:
    with held_back(penstock):
        begun = penstock("archive", folder)
        identity = begun.lines[0].split()[0]
        shown = penstock("jobs", "show", identity)

    key = f"exports/{folder.rstrip('/')}.zip"
    assert begun.code == 0
    assert begun.lines == [f"{identity}  waiting  0 B of 2.9 MiB  {key}"]
    assert f"penstock jobs show {identity} tells how it stands" in begun.err
    assert "the same command with --wait" in begun.err
    assert fact(shown.lines, "state").startswith("waiting")


def test_what_became_of_it_is_told(penstock: Cli, folder: str) -> None:
    waited = penstock("archive", folder, "mine.zip", "--wait")
    zipped = content(penstock, "mine.zip")

    assert (waited.code, waited.err) == (0, "")
    assert waited.lines[0] == "mine.zip  2.9 MiB  2 members"
    assert fact(waited.lines, "CRC-32") == f"{crc32(zipped):08x}"
    assert fact(waited.lines, "SHA-256") == hashlib.sha256(zipped).hexdigest()
    assert fact(waited.lines, "took").endswith(" s")
    assert fact(waited.lines, "passed") == "2.9 MiB in, 2.9 MiB out"
    assert fact(waited.lines, "link") == f"{penstock.server}/v1/files/mine.zip"
    with zipfile.ZipFile(BytesIO(zipped)) as archive:
        base = folder.removeprefix("photos/")
        found = {name.removeprefix(base): archive.read(name) for name in archive.namelist()}
    assert found == PHOTOS


def test_the_same_command_finds_the_same_archive(penstock: Cli, folder: str) -> None:
    first = penstock("archive", folder, "--wait", "--json").messages[-2]

    again = penstock("archive", folder, "--json")
    penstock("put", "-", "--to", f"{folder}new", stdin=b"new")
    changed = penstock("archive", folder, "--wait", "--json").messages[-2]

    assert kinds(again.messages) == ["archive", "summary"]
    assert again.messages[0]["id"] == first["id"]
    assert changed["id"] != first["id"]
    assert changed["files"] == 3


def test_json_tells_the_archive_and_what_became_of_it(penstock: Cli, folder: str) -> None:
    ran = penstock("archive", folder, "--wait", "--json", "--tag", "team=a", "--tag", "x=y=z")

    begun, done, summary = ran.messages
    assert kinds(ran.messages) == ["archive", "archive", "summary"]
    assert (begun["id"], begun["archive"]) == (done["id"], None)
    assert done["tags"] == {"team": "a", "x": "y=z"}
    assert done["archive"]["size"] == summary["bytes"] == done["size"]
    assert done["link"] == f"{penstock.server}{done['archive']['url']}"
    assert summary["exit_code"] == 0


def test_nothing_is_replaced_that_must_not_be(penstock: Cli, folder: str) -> None:
    penstock("put", "-", "--to", "kept", stdin=b"mine")

    ran = penstock("archive", folder, "kept", "--no-overwrite", "--wait")

    assert (ran.code, ran.out) == (6, b"")
    assert content(penstock, "kept") == b"mine"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nothing/"], 4, "no file is stored in the folder 'nothing/'"),
        (["nothing/", "--dry-run"], 4, "no file is stored in the folder 'nothing/'"),
        (["s3://bucket/folder/"], 2, "is not in the store of this server"),
        (["a/../b"], 2, "'..' segment"),
        ([], 2, "Missing argument 'FOLDER'"),
        (["a", "--tag", "team"], 2, "--tag takes NAME=VALUE, not 'team'"),
        (["a", "--tag", "=a"], 2, "--tag takes NAME=VALUE"),
        (["a", "--link", "magic"], 2, "'magic' is not one of"),
        (["a", "--expires", "0"], 2, "--expires"),
    ],
)
def test_what_cannot_be_is_told(penstock: Cli, arguments: list[str], code: int, told: str) -> None:
    ran = penstock("archive", *arguments)

    assert (ran.code, ran.out) == (code, b"")
    assert told in ran.err


def test_an_interrupted_command_leaves_the_archive_to_the_server(
    penstock: Cli, folder: str
) -> None:
    with held_back(penstock):
        process = penstock.start(
            *("archive", folder, "--wait", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        identity = begun(process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    done = penstock("archive", folder, "--wait", "--json").messages[-2]

    *_, interrupted, summary = map(json.loads, out.splitlines())
    assert process.returncode == 130
    assert (interrupted["code"], summary["exit_code"]) == ("interrupted", 130)
    assert (done["id"], done["state"]) == (identity, "done")


def test_an_archive_that_somebody_cancels_is_no_success(penstock: Cli, folder: str) -> None:
    with held_back(penstock):
        process = penstock.start(
            *("archive", folder, "--wait", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        identity = begun(process)
        cancelled = penstock("jobs", "cancel", identity)
        out, _ = process.communicate(timeout=30)

    assert cancelled.code == 0
    assert process.returncode == 6
    assert json.loads(out.splitlines()[-2])["code"] == "cancelled"


def test_a_terminal_sees_files_and_bytes_go_by(penstock: Cli, server: RunningServer) -> None:
    place = server.data / "files" / "many"
    place.mkdir()
    for number in range(3_000):
        (place / f"{number}.txt").write_bytes(b"%d" % number)

    terminal, inner = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "archive", "many/", "--wait"],
        cwd=penstock.folder,
        env={**penstock.environment({}), "TERM": "xterm", "COLUMNS": "140"},
        stdout=subprocess.PIPE,
        stderr=inner,
    )
    os.close(inner)
    shown = b""
    while more := read_terminal(terminal):
        shown += more
    os.close(terminal)
    out, _ = process.communicate(timeout=30)

    assert out.startswith(b"exports/many.zip  ")
    assert b"/3,000 files" in shown
