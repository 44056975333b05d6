"""Pulling from a server that is not ours: nginx, that is stopped in the middle and comes back."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.peers.nginx import Nginx
from bench.peers.server import PeerMissing
from tests.pulls.pulling import begin, ended, hasten, pulled, standing
from tests.server.conftest import Api, StartApi, start_api

__all__ = ["start_api"]

FILM = os.urandom(12_000_000)


class SlowNginx(Nginx):
    """Sends 8 MB per second."""

    locations = "location / { limit_rate 8m; }"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.fixture
def nginx(root: Path, tmp_path: Path) -> Iterator[SlowNginx]:
    try:
        with SlowNginx(root, tmp_path / "scratch") as server:
            yield server
    except PeerMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture
async def api(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    hasten(monkeypatch)
    return await start_api(remote_allow="127.0.0.1", remote_tries=1)


def placed(nginx: Nginx, content: bytes, when: int) -> str:
    Path(nginx.root, "film").write_bytes(content)
    os.utime(nginx.root / "film", (when, when))
    return f"http://127.0.0.1:{nginx.port}/film"


async def test_a_file_of_nginx_is_pulled(api: Api, nginx: Nginx) -> None:
    done = await pulled(api, placed(nginx, FILM[:1_000_000], 1))

    assert done["state"] == "done"
    assert await api.get("/v1/files/film") == FILM[:1_000_000]


async def test_nginx_goes_away_and_comes_back(api: Api, nginx: Nginx) -> None:
    pull = await begin(api, placed(nginx, FILM, 1))
    await standing(api, pull, lambda now: now["received"] > 2_000_000)
    await asyncio.to_thread(nginx.__exit__)
    waiting = await standing(api, pull, lambda now: bool(now["next_try"]))

    await asyncio.to_thread(nginx.start)
    done = await ended(api, pull)

    assert waiting["error"]["code"] == "source-failed"
    assert (done["state"], done["attempts"] > 1) == ("done", True)
    assert await api.get("/v1/files/film") == FILM
    log = await api.services.jobs.log(pull["id"])
    assert any("goes on at byte" in line.text for line in log)


async def test_a_file_of_nginx_that_changes_is_never_mixed(api: Api, nginx: Nginx) -> None:
    pull = await begin(api, placed(nginx, FILM, 1))
    await standing(api, pull, lambda now: now["received"] > 2_000_000)
    await asyncio.to_thread(nginx.__exit__)
    placed(nginx, FILM[::-1], 2)

    await asyncio.to_thread(nginx.start)
    done = await ended(api, pull)

    assert done["state"] == "done"
    assert await api.get("/v1/files/film") == FILM[::-1]
