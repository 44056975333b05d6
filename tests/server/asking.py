"""Two clients that ask for a ZIP of URLs, and a judge of what came."""

import asyncio
import http.client
import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults import Source

Spec = Mapping[str, Any]
_REPORT = "_download_errors.txt"
_REPORT_OF_NOTHING = "_ALL_DOWNLOADS_FAILED.txt"


@dataclass(frozen=True)
class Came:
    """What a client has at the end.

    ``status`` is 0 if there was no answer; ``error`` is why the client does not take the transfer
    for complete, empty if it does.
    """

    status: int
    body: bytes
    error: str = ""

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


async def curl(url: str, spec: Spec) -> Came:
    """``curl``, whose exit code counts."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    words = ["-sS", "-m", "60", "-w", "%{stderr}%{http_code}", "--data-binary", "@-", url]
    process = await asyncio.create_subprocess_exec(
        *[program, "-H", "Content-Type: application/json", *words],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    body, told = await process.communicate(json.dumps(spec).encode())
    text = told.decode()
    return Came(int(text[-3:]), body, text if process.returncode else "")


async def python(url: str, spec: Spec) -> Came:
    """The HTTP client of the standard library, in a thread."""
    return await asyncio.to_thread(_python, url, spec)


async def get(url: str) -> Came:
    """The same client with a GET."""
    return await asyncio.to_thread(_python, url, None)


def _python(url: str, spec: Spec | None) -> Came:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    status, body = 0, bytearray()
    try:
        if spec is None:
            connection.request("GET", f"{place.path}?{place.query}")
        else:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", place.path, json.dumps(spec), headers)
        response = connection.getresponse()
        status = response.status
        while data := response.read1(1 << 20):
            body += data
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
    except (http.client.HTTPException, OSError) as error:
        return Came(status, bytes(body), repr(error))
    finally:
        connection.close()
    return Came(status, bytes(body))


def contents(data: bytes) -> dict[str, bytes]:
    """What is in a ZIP, held against its own CRC-32s."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())
        return {name: archive.read(name) for name in archive.namelist()}


def verdict(came: Came, wanted: Mapping[str, bytes]) -> str:
    """``broken`` if the client knows that the transfer is; the status if the ZIP was refused.

    Of a transfer that the client takes for complete: ``whole`` if everything is in it, or
    ``without`` the members that its report names. Anything else is what must never be.
    """
    if came.error:
        return "broken"
    if came.status != 200:
        return str(came.status)
    found = contents(came.body)
    report = found.pop(_REPORT, b"").decode()
    found.pop(_REPORT_OF_NOTHING, None)
    missing = sorted(wanted.keys() - found.keys())
    assert found == {name: wanted[name] for name in found}, "a complete transfer of other bytes"
    assert named(report) == missing, "a complete transfer of an incomplete ZIP"
    return f"without {', '.join(missing)}" if missing else "whole"


def named(report: str) -> list[str]:
    """The members that a report says are left out."""
    lines = report.partition("Failed files:\n")[2].splitlines()
    return sorted(line.removeprefix("  - ").partition(": ")[0] for line in lines)


def gets(source: Source, path: str) -> int:
    """How many times a source was asked for the file at ``path``."""
    return sum(seen.method == "GET" and seen.path == path for seen in source.requests)
