"""``penstock jobs`` and the commands below it."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from penstock.cli.each import each
from penstock.cli.execute import execute
from penstock.cli.options import Options, client_command, exit_codes
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit

if TYPE_CHECKING:
    from penstock.client import Client

_CODES = (Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED)
_STATES = ("waiting", "running", "done", "failed", "cancelled")

_ids = click.argument("ids", metavar="ID...", nargs=-1, required=True)
_names = click.argument("names", metavar="LANE...", nargs=-1, required=True)


@client_command("List jobs.", Exit.TEMPORARY)
@click.option("--state", type=click.Choice(_STATES), help="Only jobs in this state.")
@click.option("--kind", metavar="KIND", help="Only jobs of this kind, such as pull or archive.")
def ls(state: str | None, kind: str | None, options: Options) -> Exit:
    """List the jobs that the server remembers, the newest first."""
    render, tally = _begin(options)

    async def work() -> None:
        async with (
            options.client() as client,
            aclosing(client.jobs.list(state=state, kind=kind)) as jobs,
        ):
            async for job in jobs:
                tally.add_size(0)
                render.job(job)

    return execute(render, tally, work())


@client_command("Tell how jobs stand.", Exit.PARTIAL, *_CODES)
@_ids
def show(ids: Sequence[str], options: Options) -> Exit:
    """Tell how each of the jobs stands."""

    async def step(client: "Client", identity: str, render: Render) -> None:
        render.job(await client.jobs.get(identity), long=True)

    return each("jobs", ids, step, options)


@client_command("Print the log of a job.", Exit.NOT_FOUND, Exit.TEMPORARY)
@click.argument("identity", metavar="ID")
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended.")
def logs(identity: str, follow: bool, options: Options) -> Exit:
    """Print what became of a job: the newest 200 lines, the oldest first."""
    render, tally = _begin(options)

    async def work() -> None:
        told = 0
        async with options.client() as client:
            if not follow:
                await _tell_log(client, identity, told, render)
                return
            async with aclosing(client.jobs.watch(identity)) as stands:
                async for _ in stands:
                    told = await _tell_log(client, identity, told, render)

    return execute(render, tally, work())


@client_command("End jobs.", Exit.PARTIAL, *_CODES)
@_ids
def cancel(ids: Sequence[str], options: Options) -> Exit:
    """End each of the jobs, and remove what it left; one that runs needs some seconds for it."""

    async def step(client: "Client", identity: str, render: Render) -> None:
        render.job(await client.jobs.cancel(identity))

    return each("jobs", ids, step, options)


@client_command("Try jobs again.", Exit.PARTIAL, *_CODES)
@_ids
def retry(ids: Sequence[str], options: Options) -> Exit:
    """Let jobs that failed or were cancelled go on, and those that wait do so at once."""

    async def step(client: "Client", identity: str, render: Render) -> None:
        render.job(await client.jobs.retry(identity))

    return each("jobs", ids, step, options)


@client_command("List lanes.", Exit.TEMPORARY)
def lanes(options: Options) -> Exit:
    """Tell how many jobs each lane has in each state, and which lanes are paused."""
    render, tally = _begin(options)

    async def work() -> None:
        async with options.client() as client:
            for lane in await client.jobs.lanes():
                tally.add_size(0)
                render.lane(lane)

    return execute(render, tally, work())


@client_command("Hold the jobs of lanes back.", Exit.PARTIAL, *_CODES)
@_names
def pause(names: Sequence[str], options: Options) -> Exit:
    """Begin no job of these lanes that waits, until they are resumed; those that run go on."""

    async def step(client: "Client", name: str, render: Render) -> None:
        render.lane(await client.jobs.pause(name))

    return each("jobs", names, step, options)


@client_command("Let the jobs of paused lanes go.", Exit.PARTIAL, *_CODES)
@_names
def resume(names: Sequence[str], options: Options) -> Exit:
    """Let the jobs of these lanes be begun again."""

    async def step(client: "Client", name: str, render: Render) -> None:
        render.lane(await client.jobs.resume(name))

    return each("jobs", names, step, options)


def _begin(options: Options) -> tuple[Render, Tally]:
    return make_render(json=options.json, quiet=options.quiet), Tally("jobs")


async def _tell_log(client: "Client", identity: str, told: int, render: Render) -> int:
    """Print the lines after the one of the number ``told``; answers that of the last."""
    for line in await client.jobs.log(identity):
        if line.number > told:
            told = line.number
            render.line(line)
    return told


command = click.Group(
    "jobs",
    [ls, show, logs, cancel, retry, lanes, pause, resume],
    short_help="List, end and retry jobs, hold lanes back.",
    help="Look at all work that the server does in the background, whatever its kind; end it, try "
    "it again, hold its lanes back.",
    epilog=exit_codes(Exit.PARTIAL, *_CODES),
)
