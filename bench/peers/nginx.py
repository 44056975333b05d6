"""nginx, one worker process, at its best."""

import os
import shutil

from bench.peers.server import PeerMissing, Server

_CONFIG = """
daemon off;
master_process on;
worker_processes {processes};
{user}
pid {scratch}/pid;
error_log {scratch}/log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 75;
    keepalive_requests 1000000;
    default_type application/octet-stream;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    client_body_temp_path {root}/.body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    {beside}
    server {{
        listen 127.0.0.1:{port};
        root {root};
        {locations}
    }}
}}
"""


class Nginx(Server):
    """Static files and ``dav_methods PUT``, which renames a temporary file; it never fsyncs.

    Another kind of nginx has other ``locations``, and perhaps what must stand ``beside`` them.
    """

    name = "nginx"
    note = (
        "worker_processes 1, access_log off, sendfile on, tcp_nopush on, "
        "client_body_buffer_size 1m; uploads are not fsynced"
    )

    processes = 1
    beside = ""
    locations = "location / { dav_methods PUT DELETE; create_full_put_path on; }"

    def command(self) -> list[str]:
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            raise PeerMissing("nginx is not installed; on Debian: apt install nginx-light")
        config = self.scratch / "nginx.conf"
        # Started by root, the workers would become a user who cannot read our files.
        user = "user root;" if os.geteuid() == 0 else ""
        words = {"root": self.root, "scratch": self.scratch, "port": self.port, "user": user}
        beside = self.beside.format(**words)
        words |= {"beside": beside, "locations": self.locations, "processes": self.processes}
        config.write_text(_CONFIG.format(**words))
        return [program, "-e", str(self.log), "-c", str(config)]


class NginxTwo(Nginx):
    """Two worker processes."""

    note = "worker_processes 2, access_log off, sendfile on, tcp_nopush on"
    processes = 2


class NginxGzip(Nginx):
    """Compresses whole files; it never does ranges."""

    name = "nginx, gzip 1"
    note = "worker_processes 1, access_log off, gzip on, gzip_comp_level 1, gzip_buffers 32 16k"
    locations = """
        gzip on;
        gzip_comp_level 1;
        gzip_types text/plain;
        gzip_buffers 32 16k;
        location / { types {} default_type text/plain; }
    """
