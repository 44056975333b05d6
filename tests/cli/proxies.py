"""Real proxies before a real server, with the configurations that the documentation gives."""

import os
import re
import shutil
from pathlib import Path

from bench.peers.nginx import Nginx
from bench.peers.server import PeerMissing, Server
from tests.serving import RunningServer

PAGE = Path(__file__).parents[2] / "docs/how-to/behind-a-proxy.md"
_THERE = "127.0.0.1:8080"
"""Where the page has the server listen."""


def written(language: str, server: RunningServer) -> str:
    """The configuration on the page, for ``server``."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    block = str(blocks[0])
    assert _THERE in block
    return block.replace(_THERE, server.url.removeprefix("http://"))


def nginx(folder: Path, locations: str) -> Nginx:
    """One with these locations; everything else is as nginx has it by itself."""
    made = Nginx(folder, folder / "scratch")
    made.locations = locations
    return made


class Caddy(Server):
    """One site, without certificates."""

    name = "Caddy"
    site = "files.example.com"

    def __init__(self, folder: Path, config: str) -> None:
        super().__init__(folder, folder / "scratch")
        self._config = config

    def command(self) -> list[str]:
        program = shutil.which("caddy")
        if program is None:
            raise PeerMissing("Caddy is not installed; on Debian: apt install caddy")
        assert self.site in self._config
        site = self._config.replace(self.site, f"http://127.0.0.1:{self.port}")
        config = self.scratch / "Caddyfile"
        config.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site)
        return [program, "run", "--config", str(config), "--adapter", "caddyfile"]

    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.scratch), "PATH": os.environ["PATH"]}
