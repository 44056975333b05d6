"""Names in ZIPs that lead out of the folder that they are unpacked in.

If one of these failed, whoever may name a file, or a URL, would write files on the machines of all
who unpack a ZIP that it is in ("zip slip").
"""

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from yarl import URL

from tests.faults import Source, faulty
from tests.server.archiving import archived, hasten
from tests.server.conftest import Api, StartApi
from tests.zipstream.corpus import NAMES
from tests.zipstream.readers import EXTRACTORS, need, run

BYTES = b"unpacked"
HOSTILE = [
    *NAMES,
    "../" * 40 + "tmp/escape",
    "..\\" * 40 + "escape",
    "a/..\\..\\..\\escape",
    "C:escape",
    "c:/escape",
    "\\\\host\\share\\escape",
    "//host/share/escape",
    "\\escape",
    "....//....//escape",
    "..;/escape",
    "．．/．．/escape",
    "․․/escape",
    "‥/escape",
    "..／escape",
    "..∕escape",
    "..%2fescape",
    "%2e%2e/escape",
    "..\u200b/escape",
    "..\ufeff/escape",
    ".\u00ad./escape",
    "\u202e../escape",
    ".. /.. /escape",
    "../\r\n../escape",
    "-rf /",
    "~/escape",
    "~root/escape",
    "$(touch escape)",
    "`touch escape`",
    "con.txt",
    "a:b:$DATA",
    "NUL",
    "aux/escape",
    ".../escape",
    "a/" * 300 + "escape",
    "e\u0301" * 120,
    "\U0001f468" * 200,
]


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest.fixture
async def api(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    hasten(monkeypatch)
    return await start_api(remote_allow="127.0.0.1", remote_tries=1)


async def _of_urls(api: Api, source: Source) -> bytes:
    """Every name as a caller gives it for a URL."""
    names = [name for name in HOSTILE if name and name.isprintable()]
    urls = [
        {"url": source.serve(f"/{number}", BYTES, etag='"a"'), "name": name}
        for number, name in enumerate(names)
    ]
    body = json.dumps({"urls": urls, "on_error": "report"})
    response, came = await api.call("POST", "/v1/zip", body, Content_Type="application/json")
    assert response.status == 200, came
    return came


async def _of_paths(api: Api, source: Source) -> bytes:
    """Every name as the path of a URL has it, for the clients of stream-download."""
    urls = []
    for name in HOSTILE:
        path = "/x/" + quote(name.encode("utf-8", "surrogatepass"), safe="")
        urls.append(source.serve(path, BYTES, etag='"a"'))
    body = json.dumps({"urls": urls})
    response, came = await api.call("POST", "/api/download", body, Content_Type="application/json")
    assert response.status == 200
    return came


async def _store(api: Api) -> int:
    """Every name that the store takes, as a key; answers how many."""
    stored = 0
    for name in HOSTILE:
        path = "/v1/files/in/" + quote(name.encode("utf-8", "surrogatepass"), safe="")
        async with api.session.put(_unchanged(api, path), data=BYTES) as response:
            assert response.status in (200, 201, 400, 409)
            stored += response.status == 201
    return stored


def _unchanged(api: Api, path: str) -> URL:
    return URL(f"http://127.0.0.1:{api.port}{path}", encoded=True)


async def _of_keys(api: Api, source: Source) -> bytes:
    assert await _store(api) > 20
    return await api.get("/v1/zip?prefix=in/")


async def _archive(api: Api, source: Source) -> bytes:
    assert await _store(api) > 20
    archive = await archived(api, "in/", key="made.zip")
    assert archive["state"] == "done", archive
    return await api.get("/v1/files/made.zip")


def _by_python(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder)


def _by(program: str) -> Callable[[Path, Path], None]:
    def unpack(archive: Path, folder: Path) -> None:
        run(*EXTRACTORS[program](archive, folder))

    return unpack


@pytest.mark.parametrize("zipped", [_of_urls, _of_paths, _of_keys, _archive])
async def test_what_is_unpacked_stays_in_its_folder(
    api: Api, source: Source, zipped: Any, tmp_path: Path
) -> None:
    data = await zipped(api, source)

    with zipfile.ZipFile(BytesIO(data)) as archive:
        members = archive.infolist()
        names = [info.filename for info in members]
        assert archive.testzip() is None
    assert len(names) > 20
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        segments = name.rstrip("/").split("/")
        assert not {"", ".", ".."} & set(segments), name
        assert not set(name) & set("\\:\0"), name
    # 0o120000 is a symbolic link, through which the next member would be written elsewhere.
    assert {info.external_attr >> 16 & 0o170000 for info in members} <= {0, 0o100000, 0o040000}
    await asyncio.to_thread(_unpack_everywhere, data, tmp_path, len(names))


def _unpack_everywhere(data: bytes, tmp_path: Path, count: int) -> None:
    archive = tmp_path / "a.zip"
    archive.write_bytes(data)
    unpackers = {"python": _by_python, **{program: _by(program) for program in EXTRACTORS}}
    for program, unpack in unpackers.items():
        if program != "python":
            need(program)
        around = tmp_path / f"around-{program}"
        folder = around / "1" / "2" / "here"
        folder.mkdir(parents=True)
        unpack(archive, folder)
        found = [path for path in around.rglob("*") if not path.is_dir()]
        assert len(found) == count, program
        assert all(path.is_relative_to(folder) for path in found), program
        assert not any(path.is_symlink() for path in found), program
