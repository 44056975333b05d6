"""The HTTP server: the only room that knows aiohttp's serving side."""

from penstock.server.app import build_app
from penstock.server.run import make_runner, run_server
from penstock.server.services import Services
from penstock.server.working import run_worker

__all__ = ["Services", "build_app", "make_runner", "run_server", "run_worker"]
