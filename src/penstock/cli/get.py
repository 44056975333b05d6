"""``penstock get``."""

import sys

import click

from penstock.cli.execute import AGAIN, execute, report
from penstock.cli.names import as_prefix, local_target, refuse_doubles
from penstock.cli.options import Options, client_command
from penstock.cli.progress import progress_meters
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit

STDOUT = "-"


@client_command(
    "Fetch files and folders from the server.",
    *(Exit.PARTIAL, Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED, Exit.MISMATCH),
    transfers=True,
)
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    metavar="FILE|DIR|-",
    help="Where to: a file, a folder (exists, or ends in a slash), or - for standard output.",
)
def command(keys: tuple[str, ...], output: str | None, options: Options) -> Exit:
    """Fetch each KEY; one that ends in a slash is a folder, and / is everything.

    A file goes to its own name in the working directory or in DIR, the folder a/photos/ to
    photos/ there. On the way its bytes are in FILE.part; when it is cut short, run the same
    command again to go on. A file that is there already and the same is left alone.
    """
    tally = Tally("get")
    if output == STDOUT:
        if len(keys) > 1 or as_prefix(keys[0]) is not None or options.json:
            raise click.UsageError("-o - takes a single file, and no --json")
        render = make_render(json=False, quiet=True)
        return execute(render, tally, _to_stdout(keys[0], options, tally))
    render = make_render(json=options.json, quiet=options.quiet)
    files = [key for key in keys if as_prefix(key) is None]
    if len(keys) > 1 or not files:
        output = (output or ".").rstrip("/") + "/"
    pairs = [(local_target(key, output), key) for key in files]
    refuse_doubles((key, path) for path, key in pairs)
    prefixes = [prefix for key in keys if (prefix := as_prefix(key)) is not None]
    work = _get(pairs, prefixes, output or ".", options, render, tally)
    return execute(render, tally, work, AGAIN)


async def _get(
    pairs: list[tuple[str, str]],
    prefixes: list[str],
    folder: str,
    options: Options,
    render: Render,
    tally: Tally,
) -> None:
    with progress_meters(shown=options.shows_progress) as meters:
        async with options.client() as client:
            await report(
                client.get_many(pairs, meters=meters), render.fetched, render, tally, meters.finish
            )
            for prefix in prefixes:
                results = client.get_folder(prefix, folder, meters=meters)
                await report(results, render.fetched, render, tally, meters.finish)


async def _to_stdout(key: str, options: Options, tally: Tally) -> None:
    from penstock.client import Done

    with progress_meters(shown=options.shows_progress) as meters:
        async with options.client() as client:
            info = await client.get(key, sys.stdout.buffer, progress=meters(key))
    tally.add(Done(key, STDOUT, info))
