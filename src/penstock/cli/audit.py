"""``penstock audit``."""

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import click

from penstock.cli.execute import execute
from penstock.cli.options import Options, client_command
from penstock.cli.render import make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit

if TYPE_CHECKING:
    from penstock.client import AuditLine, Client

_LOOK_EVERY = 1.0
"""Seconds."""


@client_command("Show who did what.", Exit.TEMPORARY, Exit.REFUSED)
@click.option("--actor", metavar="WHO", default="", help="Of one only, such as token:ID or login.")
@click.option("--action", metavar="WHAT", default="", help="Of one kind only, such as file.put.")
@click.option(
    "--limit",
    "-n",
    metavar="N",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Most lines; with --follow, of what was there before.",
)
@click.option("--follow", "-f", is_flag=True, help="Wait for more, until a signal ends it.")
def command(actor: str, action: str, limit: int, follow: bool, options: Options) -> Exit:
    """Show the newest lines of the server's audit log, in the order in which they were written."""
    render, tally = make_render(json=options.json, quiet=options.quiet), Tally("audit")

    async def newer(client: "Client", than: int, most: int | None) -> "list[AuditLine]":
        found = []
        async with aclosing(client.audit.lines(actor=actor, action=action, limit=most)) as lines:
            async for line in lines:
                if line.id <= than:
                    break
                found.append(line)
        return found[::-1]

    async def work() -> None:
        async with options.client() as client:
            last = 0
            lines = await newer(client, last, limit)
            while True:
                for line in lines:
                    render.audit(line)
                    tally.add_size(0)
                    last = line.id
                if not follow:
                    return
                await asyncio.sleep(_LOOK_EVERY)
                lines = await newer(client, last, None if last else limit)

    return execute(render, tally, work())
