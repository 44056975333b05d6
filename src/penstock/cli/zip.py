"""``penstock zip``."""

import sys

import click

from penstock.cli.execute import AGAIN, execute
from penstock.cli.names import as_prefix, last_segment, local_target
from penstock.cli.options import Options, client_command
from penstock.cli.progress import progress_meters
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit

STDOUT = "-"


@client_command(
    "Fetch many files as one ZIP.",
    *(Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED, Exit.MISMATCH),
    transfers=True,
)
@click.argument("selection", metavar="KEY|PREFIX/...", nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    metavar="FILE|DIR|-",
    help="Where to: a file, a folder, or - for standard output; by default named after what "
    "is in it.",
)
def command(selection: tuple[str, ...], output: str | None, options: Options) -> Exit:
    """Fetch every KEY, and every file under each PREFIX/, as one ZIP.

    On the way its bytes are in FILE.part; when it is cut short, run the same command again to go
    on. That works as long as none of the files has changed; else it starts again by itself.
    """
    tally = Tally("zip")
    if output == STDOUT:
        if options.json:
            raise click.UsageError("-o - leaves no room for --json")
        render = make_render(json=False, quiet=True)
        return execute(render, tally, _zip(selection, STDOUT, options, render, tally))
    render = make_render(json=options.json, quiet=options.quiet)
    target = local_target(_default_name(selection), output)
    return execute(render, tally, _zip(selection, target, options, render, tally), AGAIN)


async def _zip(
    selection: tuple[str, ...], target: str, options: Options, render: Render, tally: Tally
) -> None:
    keys = [one for one in selection if as_prefix(one) is None]
    prefixes = [prefix for one in selection if (prefix := as_prefix(one)) is not None]
    with progress_meters(shown=options.shows_progress) as meters:
        async with options.client() as client:
            info = await client.zip(
                sys.stdout.buffer if target == STDOUT else target,
                keys=keys,
                prefixes=prefixes,
                progress=meters(target),
            )
    tally.add_size(info.size)
    render.zipped(info, target)


def _default_name(selection: tuple[str, ...]) -> str:
    name = last_segment(selection[0]) if len(selection) == 1 else ""
    return (name or "files") + ".zip"
