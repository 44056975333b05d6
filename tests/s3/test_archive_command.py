"""``penstock archive`` where the server stores in S3: its URLs, requests, dollars, links."""

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from tests.cli.running import Cli
from tests.s3.files import MIB, content
from tests.s3.servers import S3Server
from tests.serving import RunningServer

BIG = content(12 * MIB)
PREFIX = f"t/{uuid4().hex}"


@pytest.fixture(scope="module")
def served(
    s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """One server for all tests of this module, with a folder."""
    data = tmp_path_factory.mktemp("served") / "data"
    server = RunningServer(data, **s3_server.settings(PREFIX))
    with httpx.Client(base_url=server.url, timeout=60) as http:
        http.put("/v1/files/photos/big.raw", content=BIG).raise_for_status()
        http.put("/v1/files/photos/small.txt", content=b"small").raise_for_status()
    yield server
    assert server.stop() == 0


@pytest.fixture
def penstock(served: RunningServer, tmp_path: Path) -> Cli:
    return Cli(served.url, tmp_path)


def fact(lines: list[str], name: str) -> str:
    """What a line says of that."""
    return next(line[12:] for line in lines if line[2:12].rstrip() == name)


def test_a_folder_is_named_by_its_url(penstock: Cli, s3_server: S3Server) -> None:
    url = f"s3://{s3_server.bucket}/{PREFIX}/photos/"

    planned = penstock("archive", url, "--dry-run")
    done = penstock("archive", url, "--wait", "--link", "presigned", "--expires", "600")
    elsewhere = penstock("archive", f"s3://{s3_server.bucket}/elsewhere/", "--dry-run")

    assert (planned.code, done.code, done.err) == (0, 0, "")
    assert planned.lines[0] == "exports/photos.zip  12.0 MiB  2 files"
    assert int(fact(planned.lines, "parts")) >= 2
    assert fact(planned.lines, "costs").startswith("$0.000")
    assert done.lines[0] == "exports/photos.zip  12.0 MiB  2 members"
    assert " PUT, " in fact(done.lines, "requests")
    link, until, *_ = fact(done.lines, "link").split()
    assert until == "until"
    with zipfile.ZipFile(BytesIO(httpx.get(link, timeout=60).content)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {"photos/big.raw": BIG, "photos/small.txt": b"small"}
    assert (elsewhere.code, elsewhere.out) == (2, b"")


def test_json_tells_what_it_took(penstock: Cli, s3_server: S3Server) -> None:
    planned = penstock("archive", "photos/", "a.zip", "--dry-run", "--json").messages[0]
    done = penstock("archive", "photos/", "a.zip", "--wait", "--json", "--link", "public")

    *_, made, summary = done.messages
    assert (made["size"], made["parts"]) == (planned["size"], planned["parts"])
    assert made["usage"]["puts"] > 0
    assert made["cost"] > 0
    assert urlsplit(made["link"]).path.endswith(f"{PREFIX}/a.zip")
    assert (made["link_expires"], summary["exit_code"]) == (None, 0)
