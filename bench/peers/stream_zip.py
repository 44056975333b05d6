"""stream-zip behind http.server."""

import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

from bench.peers.server import PeerMissing, Server

_PIECE = 64 << 10  # the chunk_size of stream_zip itself


class StreamZip(Server):
    """Stored members, which stream-zip holds in memory unless it gets their size and CRC-32."""

    name = "stream-zip"
    note = (
        "NO_COMPRESSION_64(size, crc) behind http.server's ThreadingHTTPServer; "
        "the CRC-32s are known from the untimed run"
    )

    def command(self) -> list[str]:
        if importlib.util.find_spec("stream_zip") is None:
            raise PeerMissing("stream-zip is not installed: pip install stream-zip")
        return [sys.executable, "-m", "bench.peers.stream_zip", str(self.root), str(self.port)]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": ":".join(filter(None, sys.path))}


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, root: Path, *args: object) -> None:
        self.root = root
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        (prefix,) = parse_qs(urlsplit(self.path).query)["prefix"]
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        self.end_headers()
        members = _members(self.root / prefix.rstrip("/"))
        self.wfile.writelines(import_module("stream_zip").stream_zip(members))


def _members(folder: Path) -> Iterator[tuple[object, ...]]:
    method = import_module("stream_zip").NO_COMPRESSION_64
    for path in sorted(folder.iterdir()):
        about = path.stat()
        crc = _crc32(path, about.st_size, about.st_mtime_ns)
        modified = datetime.fromtimestamp(about.st_mtime, UTC)
        name = f"{folder.name}/{path.name}"
        yield name, modified, about.st_mode, method(about.st_size, crc), _pieces(path)


@cache
def _crc32(path: Path, _size: int, _modified: int) -> int:
    crc = 0
    for piece in _pieces(path):
        crc = crc32(piece, crc)
    return crc


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            yield piece


if __name__ == "__main__":
    handler = partial(_Handler, Path(sys.argv[1]))
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), handler).serve_forever()
