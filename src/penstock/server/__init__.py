"""The HTTP server: the only room that knows aiohttp's serving side."""

from penstock.server.app import build_app
from penstock.server.run import make_runner, run_server
from penstock.server.services import Services

__all__ = ["Services", "build_app", "make_runner", "run_server"]
