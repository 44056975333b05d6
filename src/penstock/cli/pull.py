"""``penstock pull``."""

from typing import Any

import click

from penstock.cli.execute import execute
from penstock.cli.headers import header_option, headers_of
from penstock.cli.names import name_in_url
from penstock.cli.options import Options, client_command, sha256_option
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.cli.watching import watch
from penstock.errors import Exit


@client_command(
    "Have the server fetch a file of another server.",
    *(Exit.TEMPORARY, Exit.REFUSED, Exit.MISMATCH),
)
@click.argument("url")
@click.argument("key", required=False)
@header_option("Send this header with the requests for URL; may be repeated.")
@click.option("--type", "content_type", metavar="TYPE", help="Media type of the stored file.")
@sha256_option("What comes must have this SHA-256.")
@click.option("--no-overwrite", is_flag=True, help="Replace nothing that is stored already.")
@click.option("--detach", "-d", is_flag=True, help="Do not wait for the end.")
def command(
    url: str,
    key: str | None,
    headers: tuple[str, ...],
    content_type: str | None,
    sha256: str | None,
    no_overwrite: bool,
    detach: bool,
    options: Options,
) -> Exit:
    """Have the server fetch URL and store it at KEY; one that ends in a slash is a folder.

    Without KEY the file is named as the URL ends. The server fetches by itself, and goes on after
    broken connections and restarts. This command only watches: when it is interrupted the pull
    goes on, and the same command watches it again. penstock pulls lists and ends pulls.

    The server must be allowed to reach URL. Headers, and what is secret in URL, are shown nowhere.
    """
    wish = {
        "headers": headers_of(headers),
        "content_type": content_type,
        "sha256": sha256,
        "overwrite": not no_overwrite,
    }
    render = make_render(json=options.json, quiet=options.quiet)
    tally = Tally("pull")
    work = _pull(url, _key(url, key), wish, options, render, tally, detach=detach)
    return execute(render, tally, work)


def _key(url: str, key: str | None) -> str:
    """Where the file goes. The URL is not told in errors: it may hold secrets."""
    if key and not key.endswith("/"):
        return key
    name = name_in_url(url)
    if not name:
        raise click.UsageError("the URL does not end in a name: say KEY")
    return (key or "").lstrip("/") + name


async def _pull(
    url: str,
    key: str,
    wish: dict[str, Any],
    options: Options,
    render: Render,
    tally: Tally,
    *,
    detach: bool,
) -> None:
    async with options.client() as client:
        pull = await client.pulls.begin(url, key, **wish)
        if detach or options.json:
            render.pull(pull)
        if not detach:
            await watch(client, pull, render, tally, shown=options.shows_progress)
