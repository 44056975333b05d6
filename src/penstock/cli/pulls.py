"""``penstock pulls``."""

import click

from penstock.cli.execute import execute
from penstock.cli.options import Options, client_command
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.cli.watching import watch
from penstock.errors import Exit


@client_command(
    "List, watch, end and retry pulls.",
    *(Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED, Exit.MISMATCH),
)
@click.argument("identity", metavar="[ID]", required=False)
@click.option("--watch", "what", flag_value="watch", help="Wait for the end of the pull.")
@click.option("--cancel", "what", flag_value="cancel", help="End it and remove what came of it.")
@click.option("--retry", "what", flag_value="retry", help="Go on if it failed or was cancelled.")
def command(identity: str | None, what: str | None, options: Options) -> Exit:
    """List the pulls, the newest first, or tell how the one with this ID stands."""
    if what is not None and identity is None:
        raise click.UsageError(f"--{what} needs the ID of a pull")
    render = make_render(json=options.json, quiet=options.quiet)
    tally = Tally("pulls")
    if identity is None:
        work = _list(options, render, tally)
    else:
        work = _act(identity, what or "show", options, render, tally)
    return execute(render, tally, work)


async def _list(options: Options, render: Render, tally: Tally) -> None:
    async with options.client() as client:
        async for pull in client.pulls.list():
            tally.add_size(0)
            render.pull(pull)


async def _act(identity: str, what: str, options: Options, render: Render, tally: Tally) -> None:
    async with options.client() as client:
        pulls = client.pulls
        steps = {"cancel": pulls.cancel, "retry": pulls.retry}
        pull = await steps.get(what, pulls.get)(identity)
        if what == "watch":
            await watch(client, pull, render, tally, shown=options.shows_progress)
            return
        tally.add_size(0)
        render.pull(pull)
