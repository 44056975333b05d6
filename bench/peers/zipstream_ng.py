"""zipstream-ng behind http.server, the way its own ``zipstream.server`` does it."""

import importlib.util
import sys
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zipfile import ZIP_DEFLATED

from bench.peers.server import PeerMissing, Server


class ZipstreamNg(Server):
    """A sized ZipStream of a folder, so with Content-Length."""

    name = "zipstream-ng"
    note = "ZipStream.from_path(sized=True) behind http.server's ThreadingHTTPServer"

    def command(self) -> list[str]:
        if importlib.util.find_spec("zipstream") is None:
            raise PeerMissing("zipstream-ng is not installed: pip install zipstream-ng")
        return [sys.executable, "-m", "bench.peers.zipstream_ng", str(self.root), str(self.port)]

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": ":".join(filter(None, sys.path))}


class ZipstreamNgDeflate(ZipstreamNg):
    """Without Content-Length, which deflate cannot know."""

    name = "zipstream-ng, level 6"
    note = "ZipStream(compress_type=ZIP_DEFLATED, compress_level=6) behind http.server"
    zip_query = "&compress=deflate"


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, root: Path, *args: object) -> None:
        self.root = root
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        folder = self.root / query["prefix"][0].rstrip("/")
        zip_stream = import_module("zipstream").ZipStream
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        if "compress" in query:
            method = {"compress_type": ZIP_DEFLATED, "compress_level": 6}
            archive = zip_stream.from_path(folder, **method)
        else:
            archive = zip_stream.from_path(folder, sized=True)
            self.send_header("Content-Length", str(len(archive)))
        self.end_headers()
        self.wfile.writelines(archive)


if __name__ == "__main__":
    handler = partial(_Handler, Path(sys.argv[1]))
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), handler).serve_forever()
