"""``penstock zip``."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from penstock.cli.execute import execute
from penstock.cli.headers import header_option, headers_of
from penstock.cli.names import as_prefix, last_segment, local_target
from penstock.cli.options import Options, client_command
from penstock.cli.progress import progress_meters
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit

if TYPE_CHECKING:
    from penstock.client import RemoteUrl, ZipInfo

STDOUT = "-"
AGAIN = "running the same command again goes on where this one stopped, or starts anew if it must"


class Wanted(NamedTuple):
    """What the arguments name."""

    keys: list[str]
    prefixes: list[str]
    urls: list[str]
    headers: dict[str, str]

    def remote_urls(self) -> "list[RemoteUrl]":
        """The URLs, each with all headers."""
        from penstock.client import RemoteUrl

        return [RemoteUrl(url, headers=self.headers) for url in self.urls]


@client_command(
    "Fetch many files as one ZIP.",
    *(Exit.PARTIAL, Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED, Exit.MISMATCH),
    transfers=True,
)
@click.argument("members", metavar="KEY|PREFIX/|URL...", nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    metavar="FILE|DIR|-",
    help="Where to: a file, a folder, or - for standard output; by default named after what "
    "is in it.",
)
@click.option(
    "--compress",
    type=click.Choice(["store", "auto", "deflate"]),
    default="store",
    show_default=True,
    help="Deflate nothing, what seems worth it, or everything.",
)
@click.option(
    "--level",
    type=click.Choice(["fast", "best"]),
    help="How hard to deflate.  [default: fast]",
)
@click.option(
    "--on-error",
    type=click.Choice(["abort", "report"]),
    default="abort",
    show_default=True,
    help="When a member cannot be had: fail, or leave it out and report it, also in the ZIP.",
)
@header_option("Send this header with the requests for every URL; may be repeated.")
def command(
    members: tuple[str, ...],
    output: str | None,
    compress: str,
    level: str | None,
    on_error: str,
    headers: tuple[str, ...],
    options: Options,
) -> Exit:
    """Fetch every KEY, every file under each PREFIX/, and every URL, as one ZIP.

    URLs (https:// or http://) are fetched by the server, which must be allowed to reach them.

    On the way the bytes are in FILE.part; when it is cut short, run the same command again to go
    on. That works as long as none of the files has changed and the length of the ZIP is known
    beforehand; else it starts again by itself. Compression, --on-error report and URLs that do
    not tell their size make the length unknown.
    """
    wanted = _wanted(members, headers)
    if level is not None and compress == "store":
        raise click.UsageError("--level goes with --compress auto or --compress deflate")
    how = {"compress": compress, "level": level or "fast", "on_error": on_error}
    tally = Tally("zip")
    if output == STDOUT:
        if options.json:
            raise click.UsageError("-o - leaves no room for --json")
        render = make_render(json=False, quiet=True)
        return execute(render, tally, _zip(wanted, how, STDOUT, options, render, tally))
    render = make_render(json=options.json, quiet=options.quiet)
    target = local_target(_default_name(wanted), output)
    return execute(render, tally, _zip(wanted, how, target, options, render, tally), AGAIN)


def _wanted(members: Sequence[str], headers: Sequence[str]) -> Wanted:
    """Sort the arguments. Neither URLs nor headers are told in errors: they may hold secrets."""
    wanted = Wanted([], [], [], headers_of(headers))
    for member in members:
        scheme = member.partition("://")[0].lower() if "://" in member else ""
        if scheme in ("http", "https"):
            wanted.urls.append(member)
        elif scheme == "s3":
            raise click.UsageError(
                "s3:// is not available yet; S3 objects will come through the server's store"
            )
        elif (prefix := as_prefix(member)) is not None:
            wanted.prefixes.append(prefix)
        else:
            wanted.keys.append(member)
    if headers and not wanted.urls:
        raise click.UsageError("--header goes with URLs, and there is none")
    return wanted


async def _zip(
    wanted: Wanted,
    how: dict[str, Any],
    target: str,
    options: Options,
    render: Render,
    tally: Tally,
) -> None:
    with progress_meters(shown=options.shows_progress) as meters:
        async with options.client() as client:
            info = await client.zip(
                sys.stdout.buffer if target == STDOUT else target,
                keys=wanted.keys,
                prefixes=wanted.prefixes,
                urls=wanted.remote_urls(),
                progress=meters(target),
                **how,
            )
    tally.add_size(info.size or 0)
    render.zipped(info, target)
    _tell_missing(info, render, tally)


def _tell_missing(info: "ZipInfo", render: Render, tally: Tally) -> None:
    """Say what was left out."""
    if info.failures is None:
        tally.fail(render.missing("", "the ZIP may lack members: see _download_errors.txt in it"))
    for name, reason in info.failures or ():
        tally.fail(render.missing(name, reason))


def _default_name(wanted: Wanted) -> str:
    stored = wanted.keys + wanted.prefixes
    alone = len(stored) == 1 and not wanted.urls
    return ((last_segment(stored[0]) if alone else "") or "files") + ".zip"
