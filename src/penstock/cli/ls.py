"""``penstock ls``."""

import click

from penstock.cli.execute import execute
from penstock.cli.options import Options, client_command
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit, NotFound


@client_command("List what is stored.", Exit.NOT_FOUND, Exit.TEMPORARY)
@click.argument("prefix", default="")
@click.option("--recursive", "-r", is_flag=True, help="List the files in folders too.")
@click.option("--long", "-l", is_flag=True, help="With size and time of the last change.")
def command(prefix: str, recursive: bool, long: bool, options: Options) -> Exit:
    """List what starts with PREFIX: files, and folders (they end in a slash).

    A folder's own files are listed with the slash: penstock ls photos/
    """
    render = make_render(json=options.json, quiet=options.quiet)
    tally = Tally("ls")
    delimiter = "" if recursive else "/"
    return execute(render, tally, _list(prefix, delimiter, long, options, render, tally))


async def _list(
    prefix: str, delimiter: str, long: bool, options: Options, render: Render, tally: Tally
) -> None:
    from penstock.client import Done

    folders = 0
    async with options.client() as client:
        async for page in client.pages(prefix, delimiter=delimiter):
            folders += len(page.prefixes)
            files = {info.key: info for info in page.files}
            for name in sorted([*files, *page.prefixes]):
                if name in files:
                    render.file(files[name], long=long)
                    tally.add(Done(name, info=files[name]))
                else:
                    render.folder(name, long=long)
    if prefix and not folders and not tally.done:
        raise NotFound(f"nothing is stored under {prefix!r}")
