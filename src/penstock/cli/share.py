"""``penstock share``."""

from typing import Any

import click

from penstock.cli.durations import Duration
from penstock.cli.execute import execute
from penstock.cli.names import as_prefix
from penstock.cli.options import Options, client_command, size_option
from penstock.cli.render import make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit


@client_command(
    "Make a link for who has no token.", *(Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED)
)
@click.argument("names", metavar="KEY...", nargs=-1)
@click.option("--upload", metavar="FOLDER/", help="Ask for files that are put into this folder.")
@click.option(
    "--expires",
    metavar="TIME",
    type=Duration(may_be_never=True),
    help="How long it is good for: 7d, 12h, or never.  [default: the server's, 7 days]",
)
@click.option(
    "--downloads", metavar="N", type=click.IntRange(min=1), help="How often it may be fetched."
)
@click.option(
    "--files", metavar="N", type=click.IntRange(min=1), help="With --upload: how many files."
)
@size_option("--largest", "With --upload: how large each file may be, such as 20G.")
@click.option("--name", help="What the file is saved as; with --upload: what is asked for.")
@click.option("--password", is_flag=True, help="Ask for a password, which whoever has it needs.")
@click.option(
    "--password-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="File whose first line is the password, - for standard input.",
)
def command(
    names: tuple[str, ...],
    upload: str | None,
    expires: float | None,
    downloads: int | None,
    files: int | None,
    largest: float | None,
    name: str | None,
    password: bool,
    password_file: str | None,
    options: Options,
) -> Exit:
    """Make a link by which anybody can fetch each KEY, without a token.

    One file is fetched as it is. Several, or a folder (it ends in a slash, and / is everything),
    become a ZIP, made of what is there when it is fetched. With --upload it is a link by which
    anybody can put files into a folder, and see nothing.

    The link is all that is printed to standard output; penstock shares lists and ends links.
    """
    _check(names, upload, downloads, files, largest)
    wish: dict[str, Any] = {"password": _password(password, password_file)}
    if expires is not None:
        wish["expires_in"] = None if expires == float("inf") else expires
    render = make_render(json=options.json, quiet=options.quiet)
    tally = Tally("share")

    async def work() -> None:
        async with options.client() as client:
            if upload is not None:
                share = await client.shares.upload(
                    upload.strip("/"),
                    title=name,
                    most=files,
                    most_bytes=None if largest is None else int(largest),
                    **wish,
                )
            else:
                prefixes = [found for one in names if (found := as_prefix(one)) is not None]
                keys = [one for one in names if as_prefix(one) is None]
                share = await client.shares.download(
                    keys, prefixes, name=name, most=downloads, **wish
                )
        tally.add_size(0)
        render.shared(share)

    return execute(render, tally, work())


def _check(
    names: tuple[str, ...],
    upload: str | None,
    downloads: int | None,
    files: int | None,
    largest: float | None,
) -> None:
    if bool(names) == (upload is not None):
        raise click.UsageError("name what is to be shared, or say --upload FOLDER/; not both")
    if upload == "":
        raise click.UsageError("--upload: name a folder; / is everything")
    if upload is not None and downloads is not None:
        raise click.UsageError("--downloads is for what is fetched; --upload takes --files")
    if upload is None and (files is not None or largest is not None):
        raise click.UsageError("--files and --largest go with --upload")


def _password(asked: bool, file: str | None) -> str | None:
    """What was typed twice, or stands in the file.

    :raises click.UsageError: there is none.
    """
    if asked and file is not None:
        raise click.UsageError("give --password or --password-file, not both")
    if asked:
        typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    if file is None:
        return None
    if not (found := _first_line(file).rstrip("\r\n")):
        raise click.UsageError("--password-file: there is no password in it")
    return found


def _first_line(file: str) -> str:
    try:
        with click.open_file(file, "rb") as opened:
            line: bytes = opened.readline(4096)
        return line.decode()
    except OSError as error:
        raise click.UsageError(f"--password-file: {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"--password-file: {file} is no text in UTF-8") from None
