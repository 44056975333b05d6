"""``penstock rm``."""

import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import click

from penstock.cli.execute import execute, report
from penstock.cli.names import as_prefix
from penstock.cli.options import Options, client_command
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit, NotFound

if TYPE_CHECKING:
    from penstock.client import Client


@client_command(
    "Remove files and folders.", Exit.PARTIAL, Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED
)
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@click.option("--recursive", "-r", is_flag=True, help="Allow folders (keys that end in a slash).")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before a folder is removed.")
def command(keys: tuple[str, ...], recursive: bool, yes: bool, options: Options) -> Exit:
    """Remove each KEY; with -r one that ends in a slash is a folder, and / is everything.

    On a terminal it asks before it removes a folder.
    """
    folders = [key for key in keys if as_prefix(key) is not None]
    if folders and not recursive:
        raise click.UsageError(f"{folders[0]} is a folder; -r removes it with all its files")
    if folders and not yes and sys.stdin.isatty():
        click.confirm(f"Remove everything under {', '.join(folders)}?", abort=True, err=True)
    render = make_render(json=options.json, quiet=options.quiet)
    tally = Tally("rm")
    return execute(render, tally, _remove(keys, options, render, tally))


async def _remove(keys: tuple[str, ...], options: Options, render: Render, tally: Tally) -> None:
    async with options.client() as client:
        results = client.delete_many(_expanded(client, keys))
        await report(results, lambda done: render.removed(done.key), render, tally)


async def _expanded(client: "Client", keys: tuple[str, ...]) -> AsyncIterator[str]:
    """The keys, with those under a prefix in its place."""
    for key in keys:
        prefix = as_prefix(key)
        if prefix is None:
            yield key
            continue
        found = False
        async for info in client.list(prefix):
            found = True
            yield info.key
        if not found:
            raise NotFound(f"nothing is stored under {key!r}")
