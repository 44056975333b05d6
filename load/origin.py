"""The server that ZIPs of URLs are made of: a folder on a free port, sent by ``sendfile``.

``python -m load.origin FOLDER [ADDRESS]`` prints its address, and ends with its standard input.
"""

import os
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Files(BaseHTTPRequestHandler):
    """The files that lie right in the folder, and nothing below it."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def do_GET(self) -> None:
        name = unquote(urlsplit(self.path).path).removeprefix("/")
        if name not in os.listdir(self.folder):
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with (self.folder / name).open("rb") as file:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(os.fstat(file.fileno()).st_size))
            self.end_headers()
            self.wfile.flush()
            try:
                self.connection.sendfile(file)
            except ConnectionError:  # whoever fetched it has left, which leavers see to
                self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing: a line for each file is not wanted here."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, *_: object) -> None:
        """A connection that breaks between two requests is nobody's mistake."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*_)  # type: ignore[arg-type]


def main(folder: str, address: str = "127.0.0.1") -> None:
    """Serve until standard input ends."""
    _Files.folder = Path(folder)
    with _Server((address, 0), _Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://{address}:{server.server_port}", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
