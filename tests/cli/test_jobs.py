"""``penstock jobs``: what a person and a script see of all jobs and lanes."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.cli.running import Cli, Ran, kinds
from tests.client.fetching import fetching_server
from tests.faults import Source, cut, faulty, status
from tests.serving import RunningServer

FILM = os.urandom(2_000_003)
V1 = '"v1"'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    yield from fetching_server(tmp_path_factory)


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


async def run(penstock: Cli, *arguments: str) -> Ran:
    """Run a command while the source, which lives in the test's loop, goes on."""
    return await asyncio.to_thread(penstock, *arguments)


async def pulled(penstock: Cli, url: str, key: str) -> str:
    """The id of a pull that nobody waits for."""
    ran = await run(penstock, "pull", url, key, "--detach", "--json")
    assert ran.code == 0
    return str(ran.messages[0]["id"])


async def test_jobs_are_followed_listed_and_shown(penstock: Cli, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1)
    identity = await pulled(penstock, f"{url}?sig=secret", "one")

    followed = await run(penstock, "jobs", "logs", identity, "--follow")
    listed = await run(penstock, "jobs", "ls", "--state", "done", "--kind", "pull")
    shown = await run(penstock, "jobs", "show", identity)

    assert followed.lines[0].endswith("  attempt 1 begun")
    assert followed.lines[-1].endswith("  done")
    assert listed.lines[0] == f"{identity}  pull  done  1.9 MiB  {url} → one"
    assert shown.lines[0] == f"{identity}  pull  {url} → one"
    assert shown.lines[1:4] == [
        "  state     done  1.9 MiB",
        "  lane      pull",
        "  attempts  1",
    ]


async def test_json_tells_jobs_lines_and_lanes(penstock: Cli, source: Source) -> None:
    identity = await pulled(penstock, source.serve("/film", FILM, etag=V1), "json")

    logs = await run(penstock, "jobs", "logs", identity, "-f", "--json")
    shown = await run(penstock, "jobs", "show", identity, "--json")
    lanes = await run(penstock, "jobs", "lanes", "--json")

    assert kinds(logs.messages) == ["line", "line", "line", "summary"]
    assert [line["number"] for line in logs.messages[:-1]] == [1, 2, 3]
    assert kinds(shown.messages) == ["job", "summary"]
    assert (shown.messages[0]["id"], shown.messages[0]["done"]) == (identity, len(FILM))
    assert [lane["name"] for lane in lanes.messages[:-1]] == ["large", "pull", "small"]


async def test_a_job_that_failed_is_tried_again(penstock: Cli, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), status(403)])
    identity = await pulled(penstock, url, "retried")
    failed = await run(penstock, "jobs", "logs", identity, "-f")

    retried = await run(penstock, "jobs", "retry", identity)
    followed = await run(penstock, "jobs", "logs", identity, "-f")

    assert "failed: " in failed.lines[-1]
    assert retried.lines[0].startswith(f"{identity}  pull  ")
    assert followed.lines[: len(failed.lines)] == failed.lines
    assert followed.lines[-1].endswith("  done")


async def test_a_paused_lane_holds_jobs_back_and_they_can_be_cancelled(
    penstock: Cli, source: Source
) -> None:
    paused = await run(penstock, "jobs", "pause", "pull")
    identity = await pulled(penstock, source.serve("/film", b"x", etag=V1), "held")
    cancelled = await run(penstock, "jobs", "cancel", identity, "nothing")
    resumed = await run(penstock, "jobs", "resume", "pull")

    assert paused.lines[0].startswith("pull  paused  0 waiting, ")
    assert cancelled.code == 3  # one of two
    assert cancelled.lines == [f"{identity}  pull  cancelled  {source.url}/film → held"]
    assert "nothing: there is no job of that id" in cancelled.err
    assert resumed.lines[0].startswith("pull  0 waiting, ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show", "nothing"], 4),
        (["logs", "nothing", "-f"], 4),
        (["pause", "nothing"], 4),
        (["ls", "--state", "lost"], 2),
        (["cancel"], 2),
        (["unheard-of"], 2),
    ],
)
def test_what_cannot_be_is_told(penstock: Cli, arguments: list[str], code: int) -> None:
    ran = penstock("jobs", *arguments)

    assert (ran.code, ran.out) == (code, b"")
    assert ran.err.startswith("penstock: error: ")


def test_without_a_command_the_commands_are_shown(penstock: Cli) -> None:
    ran = penstock("jobs")

    assert ran.code == 2
    for name in ("ls", "show", "logs", "cancel", "retry", "lanes", "pause", "resume"):
        assert f"\n  {name} " in ran.err


async def test_a_log_is_followed_while_the_job_goes_on(penstock: Cli, source: Source) -> None:
    down = status(503, Retry_After="1")
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), down])
    assert (await run(penstock, "jobs", "pause", "pull")).code == 0
    identity = await pulled(penstock, url, "goes-on")
    process = penstock.start("jobs", "logs", identity, "-f", stdout=subprocess.PIPE)
    assert (await run(penstock, "jobs", "resume", "pull")).code == 0

    out, _ = await asyncio.to_thread(process.communicate, timeout=60)

    told = [line.split("  ", 1)[1] for line in out.decode().splitlines()]
    assert process.returncode == 0
    assert told[0] == "attempt 1 begun"
    assert "attempt 2 begun" in told
    assert len(set(told)) == len(told)
    assert told[-1] == "done"
