"""``penstock download``."""

import time

import click

from penstock.cli import serviced
from penstock.cli.execute import AGAIN
from penstock.cli.names import local_target
from penstock.cli.options import Options, client_command, parallel_option
from penstock.cli.progress import progress_meters
from penstock.cli.render import Render
from penstock.cli.tally import Tally
from penstock.errors import Exit


@client_command(
    "Fetch a file as s3testcase's client does.",
    *(Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED, Exit.MISMATCH),
    transfers=True,
)
@click.option("--name", "-n", metavar="NAME", help="The file's name.  [required]")
@click.option("--out", "-o", metavar="FILE|DIR", help="Where to.  [required]")
@parallel_option("Connections for large files; fewer are used when more do not help.")
@serviced.addr_option
def command(
    name: str | None, out: str | None, parallel: int, addr: str | None, options: Options
) -> Exit:
    """Fetch the file NAME from GET /files/NAME, as the client of s3testcase does.

    Its SHA-256 is held against the one that the server tells, and FILE does not appear if they
    differ. On the way the bytes are in FILE.part; when it is cut short, run the same command
    again to go on.
    """
    if not out:
        raise click.UsageError("download requires --out/-o flag")
    if not name:
        raise click.UsageError("download requires --name/-n flag")
    target = local_target(name, out)

    async def work(options: Options, render: Render, tally: Tally) -> None:
        with progress_meters(shown=options.shows_progress) as meters:
            async with options.client(parallel=parallel) as client:
                service, began = client.file_service, time.monotonic()
                render.downloading(service.url(name))
                file = await service.download(
                    name,
                    target,
                    answered=lambda: render.answered(time.monotonic() - began),
                    progress=meters(target),
                )
        tally.add_size(file.size)
        render.downloaded(file, target, time.monotonic() - began)

    return serviced.run("download", options, addr, work, AGAIN)
