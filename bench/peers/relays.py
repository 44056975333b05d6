"""What stands before another server and keeps its files: ours, and nginx with a cache."""

import sys
from pathlib import Path

from bench.peers.nginx import Nginx
from bench.peers.penstock import Penstock


class PenstockRelay(Penstock):
    """``penstock relay`` with its defaults before the server at ``upstream`` (a port)."""

    name = "penstock relay"
    note = "one process, defaults, a log line per request to a file"

    def __init__(self, root: Path, scratch: Path, upstream: int) -> None:
        super().__init__(root, scratch)
        self._upstream = upstream

    def command(self) -> list[str]:
        folder, upstream = str(self.scratch / "relay"), f"http://127.0.0.1:{self._upstream}"
        flags = ["--upstream", upstream, "--dir", folder, "--port", "0"]
        return [sys.executable, "-m", "penstock", "relay", *flags]

    def environment(self) -> dict[str, str]:
        return {}


class NginxRelay(Nginx):
    """``proxy_cache`` that fetches each file once and asks whether it changed."""

    name = "nginx, proxy_cache"
    note = (
        "worker_processes 1, access_log off, sendfile on, proxy_cache_lock on, "
        "proxy_cache_revalidate on, use_temp_path=off"
    )
    beside = (
        "proxy_cache_path {scratch}/cache levels=1:2 keys_zone=files:1m max_size=10g "
        "inactive=1h use_temp_path=off;"
    )

    def __init__(self, root: Path, scratch: Path, upstream: int) -> None:
        super().__init__(root, scratch)
        self.locations = f"""
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_cache files;
            proxy_cache_valid 200 1s;
            proxy_cache_revalidate on;
            proxy_cache_lock on;
            proxy_cache_lock_timeout 600s;
            proxy_cache_lock_age 600s;
        }}
        """

    def file_path(self, key: str) -> str:
        return "/v1/files" + super().file_path(key)
