"""``penstock shares`` and the commands below it."""

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


@client_command("List share links.", Exit.TEMPORARY, Exit.REFUSED)
def ls(options: Options) -> Exit:
    """List the links that have not ended, the newest first: your own, or all if you may see all."""
    render, tally = make_render(json=options.json, quiet=options.quiet), Tally("shares")

    async def work() -> None:
        async with options.client() as client, aclosing(client.shares.list()) as shares:
            async for share in shares:
                tally.add_size(0)
                render.share(share)

    return execute(render, tally, work())


@client_command("End share links.", Exit.PARTIAL, *_CODES)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def rm(ids: Sequence[str], options: Options) -> Exit:
    """End each of the links: it leads nowhere any more."""

    async def step(client: "Client", identity: str, render: Render) -> None:
        await client.shares.remove(identity)
        render.unshared(identity)

    return each("shares", ids, step, options)


command = click.Group(
    "shares",
    [ls, rm],
    short_help="List and end share links.",
    help="Look after the links that penstock share and the pages make.",
    epilog=exit_codes(Exit.PARTIAL, *_CODES),
)
