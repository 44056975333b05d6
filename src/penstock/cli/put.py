"""``penstock put``."""

import os
from itertools import groupby
from typing import IO, NamedTuple

import click

from penstock.cli.execute import AGAIN, execute, report
from penstock.cli.names import refuse_doubles
from penstock.cli.options import Options, client_command, parallel_option
from penstock.cli.progress import progress_meters
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit

STDIN = "-"


class Named(NamedTuple):
    """A source and the key it gets; a folder's is the prefix of its files, without the slash."""

    path: str
    key: str
    is_folder: bool


@client_command(
    "Send files and folders to the server.",
    *(Exit.PARTIAL, Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED, Exit.MISMATCH),
    transfers=True,
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "--to",
    metavar="KEY|PREFIX/",
    help="Key of a single file; or, ending in a slash, the folder that takes everything.",
)
@parallel_option("Parts of files from 256 MiB up that are sent side by side.")
def command(sources: tuple[str, ...], to: str | None, parallel: int, options: Options) -> Exit:
    """Send each SOURCE (a file, a folder, or - for standard input) to the server.

    A file gets its own name as key, a folder PHOTOS sends its files as PHOTOS/..., and --to x/
    puts all of that below x/. Standard input needs --to KEY. With several sources, or a folder,
    --to always means a folder.

    A broken connection is resumed where the server says that it is. What the server holds
    already, with the same size and SHA-256, is not sent again, and of files from 8 MiB up not even
    a part: to go on after a failure run the same command again, on any machine that has the same
    files. Standard input cannot be read again, so what came of it is removed when put is ended.
    """
    render = make_render(json=options.json, quiet=options.quiet)
    tally = Tally("put")
    if STDIN in sources:
        if len(sources) > 1 or not to or to.endswith("/"):
            raise click.UsageError("- (standard input) comes alone and needs --to KEY")
        with open(0, "rb", buffering=0, closefd=False) as stdin:
            return execute(render, tally, _put_stream(options, stdin, to, render, tally))
    named = _name(sources, to)
    refuse_doubles((item.path, item.key) for item in named)
    return execute(render, tally, _put(options, parallel, named, render, tally), AGAIN)


def _name(sources: tuple[str, ...], to: str | None) -> list[Named]:
    folders = [os.path.isdir(source) for source in sources]
    if to and not to.endswith("/") and len(sources) == 1 and not folders[0]:
        return [Named(sources[0], to, is_folder=False)]
    prefix = to.rstrip("/") + "/" if to and to.rstrip("/") else ""
    return [
        Named(source, prefix + os.path.basename(os.path.abspath(source)), is_folder)
        for source, is_folder in zip(sources, folders, strict=True)
    ]


async def _put(
    options: Options, parallel: int, named: list[Named], render: Render, tally: Tally
) -> None:
    with progress_meters(shown=options.shows_progress) as meters:
        async with options.client(parallel=parallel) as client:
            for is_folder, group in groupby(named, lambda item: item.is_folder):
                if is_folder:
                    for item in group:
                        results = client.put_folder(item.path, item.key + "/", meters=meters)
                        await report(results, render.stored, render, tally, meters.finish)
                else:
                    pairs = [(item.path, item.key) for item in group]
                    results = client.put_many(pairs, meters=meters)
                    await report(results, render.stored, render, tally, meters.finish)


async def _put_stream(
    options: Options, stream: IO[bytes], key: str, render: Render, tally: Tally
) -> None:
    from penstock.client import Done

    with progress_meters(shown=options.shows_progress) as meters:
        async with options.client() as client:
            info = await client.put(stream, key, progress=meters(key))
    done = Done(key, STDIN, info)
    tally.add(done)
    render.stored(done)
