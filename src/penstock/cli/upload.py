"""``penstock upload``."""

import time

import click

from penstock.cli import serviced
from penstock.cli.options import Options, client_command
from penstock.cli.progress import progress_meters
from penstock.cli.render import Render
from penstock.cli.tally import Tally
from penstock.errors import Exit


@client_command(
    "Send a file as s3testcase's client does.",
    *(Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED, Exit.MISMATCH),
    transfers=True,
)
@click.option("--file", "-f", "path", metavar="FILE", help="The file.  [required]")
@serviced.addr_option
def command(path: str | None, addr: str | None, options: Options) -> Exit:
    """Send FILE to POST /upload under its own name, as the client of s3testcase does.

    The file is read twice: its SHA-256 is sent ahead of it, and the server refuses any other
    bytes. A connection that breaks is tried again from the start of the file; penstock put goes
    on where it broke.
    """
    if not path:
        raise click.UsageError("upload requires --file/-f flag")

    async def work(options: Options, render: Render, tally: Tally) -> None:
        with progress_meters(shown=options.shows_progress) as meters:
            async with options.client() as client:
                service, began = client.file_service, time.monotonic()
                file = await service.upload(
                    path,
                    announce=lambda file: render.uploading(file, service.upload_url),
                    progress=meters(path),
                )
        tally.add_size(file.size)
        render.uploaded(file, time.monotonic() - began)

    return serviced.run("upload", options, addr, work)
