"""``penstock archive``."""

from typing import Any

import click

from penstock.cli.execute import execute
from penstock.cli.options import Options, client_command
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.cli.watching import watch_archive
from penstock.errors import Exit

_LINKS = ("direct", "presigned", "public")
_LONGEST_LINK = 604_800
"""Seconds: S3 takes no presigned link that is good for longer."""


@client_command(
    "Make a ZIP of a folder inside the store.",
    *(Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED),
)
@click.argument("folder")
@click.argument("key", required=False)
@click.option("--wait", "-w", is_flag=True, help="Wait for the end.")
@click.option("--dry-run", "-n", is_flag=True, help="Only tell what it would take.")
@click.option("--no-overwrite", is_flag=True, help="Replace nothing that is stored already.")
@click.option(
    "tags",
    "--tag",
    metavar="NAME=VALUE",
    multiple=True,
    help="Put this tag on the ZIP, where the store has tags; may be repeated.",
)
@click.option(
    "--link",
    type=click.Choice(_LINKS),
    help="Link to the server, or into S3: for a time, or plain.  [default: the server's]",
)
@click.option(
    "--expires",
    metavar="SECONDS",
    type=click.FloatRange(1, _LONGEST_LINK),
    help="How long a presigned link is good for.  [default: the server's]",
)
def command(
    folder: str,
    key: str | None,
    wait: bool,
    dry_run: bool,
    no_overwrite: bool,
    tags: tuple[str, ...],
    link: str | None,
    expires: float | None,
    options: Options,
) -> Exit:
    """Have the server make a ZIP of FOLDER and store it at KEY, which it names if you do not.

    FOLDER is such as photos/2024/, or s3://bucket/photos/2024/ if that is where the server stores;
    / is everything. The server does it by itself, and goes on after restarts. Without --wait this
    command only begins it. The same command finds the same archive again, as long as nothing in
    FOLDER has changed. penstock jobs lists and ends archives.
    """
    render = make_render(json=options.json, quiet=options.quiet)
    tally = Tally("archive")
    if dry_run:
        return execute(render, tally, _plan(folder, key, options, render, tally))
    wish = {
        "overwrite": not no_overwrite,
        "tags": dict(map(_tag, tags)),
        "link": link,
        "link_expiry": expires,
    }
    return execute(render, tally, _archive(folder, key, wish, options, render, tally, wait=wait))


def _tag(argument: str) -> tuple[str, str]:
    name, equals, value = argument.partition("=")
    if not name or not equals:
        raise click.UsageError(f"--tag takes NAME=VALUE, not {argument!r}")
    return name, value


async def _plan(
    folder: str, key: str | None, options: Options, render: Render, tally: Tally
) -> None:
    async with options.client() as client:
        plan = await client.archives.plan(folder, key)
    tally.add_size(0)
    render.archive_plan(plan)


async def _archive(
    folder: str,
    key: str | None,
    wish: dict[str, Any],
    options: Options,
    render: Render,
    tally: Tally,
    *,
    wait: bool,
) -> None:
    async with options.client() as client:
        archive = await client.archives.begin(folder, key, **wish)
        if not archive.has_ended:
            if not wait or options.json:
                render.archive(archive)
            if not wait:
                return
            shown = options.shows_progress
            archive = await watch_archive(client, archive, render, shown=shown)
    tally.add_size(archive.stored().size)
    link = archive.link or ""
    render.archived(archive, f"{options.server.rstrip('/')}{link}" if link[:1] == "/" else link)
