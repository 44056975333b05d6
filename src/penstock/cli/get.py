"""``penstock get``."""

import sys
from typing import Any, NamedTuple

import click

from penstock.cli.execute import AGAIN, execute, report
from penstock.cli.headers import header_option, headers_of
from penstock.cli.names import as_prefix, is_url, local_target, refuse_doubles, shown_url
from penstock.cli.options import (
    Options,
    client_command,
    parallel_option,
    sha256_option,
    size_option,
)
from penstock.cli.progress import progress_meters
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit

STDOUT = "-"


class Wanted(NamedTuple):
    """What the arguments name: pairs of local path and key or URL, and prefixes for ``folder``."""

    keys: list[tuple[str, str]]
    urls: list[tuple[str, str]]
    prefixes: list[str]
    folder: str
    follow: bool = False


@client_command(
    "Fetch files and folders, of any HTTP server too.",
    *(Exit.PARTIAL, Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED, Exit.MISMATCH),
    transfers=True,
)
@click.argument("sources", metavar="KEY|URL...", nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    metavar="FILE|DIR|-",
    help="Where to: a file, a folder (exists, or ends in a slash), or - for standard output.",
)
@parallel_option("Connections for large files; fewer are used when more do not help.")
@size_option(
    "--range-size",
    "Ask for ranges of this size, such as 512K; without it that follows from the speed.",
)
@header_option("Send this header with the requests for every URL; may be repeated.")
@click.option(
    "--follow", is_flag=True, help="Read a file that is still being uploaded while it arrives."
)
@sha256_option("The file at the URL must have this SHA-256.")
def command(
    sources: tuple[str, ...],
    output: str | None,
    parallel: int,
    range_size: float | None,
    headers: tuple[str, ...],
    sha256: str | None,
    follow: bool,
    options: Options,
) -> Exit:
    """Fetch each KEY; one that ends in a slash is a folder, and / is everything.

    A file goes to its own name in the working directory or in DIR, the folder a/photos/ to
    photos/ there. On the way its bytes are in FILE.part; when it is cut short, run the same
    command again to go on. A file that is there already and the same is left alone.

    With --follow a KEY that is still being uploaded is read along to the end of the upload, and
    then verified; if the upload fails, so does this. Else it is as without.

    A URL (https:// or http://) is fetched from whatever server that is, and in the same way if it
    has ranges and tells versions apart. With a new link, such as a signed one, to the same path
    what came by the old one is gone on with.
    """
    asked = _asked(sources, headers, sha256)
    if follow and any(is_url(one) or as_prefix(one) is not None for one in sources):
        raise click.UsageError("--follow goes with the keys of files")
    tally = Tally("get")
    client = {"parallel": parallel, "range_size": int(range_size) if range_size else None}
    if output == STDOUT:
        if len(sources) > 1 or as_prefix(sources[0]) is not None or options.json:
            raise click.UsageError("-o - takes a single file, and no --json")
        render = make_render(json=False, quiet=True)
        return execute(render, tally, _to_stdout(sources[0], client, asked, options, tally, follow))
    render = make_render(json=options.json, quiet=options.quiet)
    wanted = _wanted(sources, output)._replace(follow=follow)
    work = _get(wanted, client, asked, options, render, tally)
    return execute(render, tally, work, AGAIN)


def _asked(
    sources: tuple[str, ...], headers: tuple[str, ...], sha256: str | None
) -> dict[str, Any]:
    """What goes with the requests for URLs."""
    urls = list(filter(is_url, sources))
    if headers and not urls:
        raise click.UsageError("--header goes with URLs, and there is none")
    if sha256 is not None and (len(sources) > 1 or not urls):
        raise click.UsageError("--sha256 goes with a single URL")
    return {"headers": headers_of(headers), "sha256": sha256}


def _wanted(sources: tuple[str, ...], output: str | None) -> Wanted:
    """Sort the arguments."""
    prefixes = [prefix for one in sources if (prefix := _prefix(one)) is not None]
    if len(sources) > 1 or prefixes:
        output = (output or ".").rstrip("/") + "/"
    pairs = [(local_target(one, output), one) for one in sources if _prefix(one) is None]
    refuse_doubles((source, path) for path, source in pairs)
    return Wanted(
        [(path, one) for path, one in pairs if not is_url(one)],
        [(path, one) for path, one in pairs if is_url(one)],
        prefixes,
        output or ".",
    )


def _prefix(source: str) -> str | None:
    return None if is_url(source) else as_prefix(source)


async def _get(
    wanted: Wanted,
    how: dict[str, Any],
    asked: dict[str, Any],
    options: Options,
    render: Render,
    tally: Tally,
) -> None:
    with progress_meters(shown=options.shows_progress) as meters:
        async with options.client(**how) as client:
            each = [
                client.get_many(wanted.keys, follow=wanted.follow, meters=meters),
                client.download_many(wanted.urls, meters=meters, **asked),
                *(client.get_folder(one, wanted.folder, meters=meters) for one in wanted.prefixes),
            ]
            for results in each:
                await report(results, render.fetched, render, tally, meters.finish)


async def _to_stdout(
    source: str,
    how: dict[str, Any],
    asked: dict[str, Any],
    options: Options,
    tally: Tally,
    follow: bool,
) -> None:
    from penstock.client import Done

    with progress_meters(shown=options.shows_progress) as meters:
        async with options.client(**how) as client:
            name = shown_url(source) if is_url(source) else source
            progress, stdout = meters(name), sys.stdout.buffer
            if is_url(source):
                info = await client.download(source, stdout, progress=progress, **asked)
            elif follow:
                info = await client.follow(source, stdout, progress=progress)
            else:
                info = await client.get(source, stdout, progress=progress)
    tally.add(Done(source, STDOUT, info))
