"""``penstock tokens`` and the commands below it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from penstock.access import Scope
from penstock.cli.durations import Duration
from penstock.cli.execute import execute
from penstock.cli.local_tokens import LocalTokens, local_tokens
from penstock.cli.options import Options, client_command, exit_codes, size_option
from penstock.cli.render import make_render
from penstock.cli.settings_options import options_of, settings_of
from penstock.cli.tally import Tally
from penstock.errors import Exit, PenstockError

if TYPE_CHECKING:
    from penstock.client import Tokens

_CODES = (Exit.NOT_FOUND, Exit.TEMPORARY, Exit.REFUSED)
_PLACE = ("data", "catalog")


def _placed(command: click.Command) -> click.Command:
    """Give it the options that say where the catalog is; with one of them no server is asked."""
    local = click.Option(
        ["--local"],
        is_flag=True,
        help="Ask no server: change its catalog, on its host. --data and --catalog say where that "
        "is, if penstock.toml here does not.",
    )
    command.params += [local, *options_of(_PLACE)]
    return command


def _folder(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """With its last slash. An empty one is refused: it would bind the token to nothing."""
    if value == "":
        raise click.BadParameter("name a folder, or leave it out")
    return "" if value is None else value.rstrip("/") + "/"


def _tokens(
    options: Options, given: dict[str, Any]
) -> "AbstractAsyncContextManager[Tokens | LocalTokens]":
    """Those of the server, or of the catalog here."""
    local = given.pop("local")
    if local or any(given[name] is not None for name in _PLACE):
        return local_tokens(settings_of(given))
    return _of_server(options)


@asynccontextmanager
async def _of_server(options: Options) -> "AsyncIterator[Tokens]":
    async with options.client() as client:
        yield client.tokens


@_placed
@client_command("List tokens.", Exit.TEMPORARY, Exit.REFUSED)
def ls(options: Options, **given: Any) -> Exit:
    """List the tokens, also those that have expired. What they are is told, never their text."""
    render, tally = make_render(json=options.json, quiet=options.quiet), Tally("tokens")
    opened = _tokens(options, given)

    async def work() -> None:
        async with opened as tokens:
            for token in await tokens.list():
                tally.add_size(0)
                render.token(token)

    return execute(render, tally, work())


@_placed
@client_command("Make a token.", Exit.TEMPORARY, Exit.REFUSED)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What it is good for: read (list and get files), write (put and remove them), archive "
    "(make archives, look after jobs), admin (everything). May be given again.",
)
@click.option(
    "--prefix", metavar="FOLDER/", callback=_folder, help="The folder that it is bound to."
)
@click.option(
    "--expires", metavar="TIME", type=Duration(), help="How long it is good, such as 90d or 12h."
)
@click.option(
    "--requests-per-second",
    "request_rate",
    metavar="N",
    type=click.FloatRange(min=0, min_open=True),
    help="How often it may be used.",
)
@size_option("--rate", "Most bytes per second of all its transfers, such as 10M.", "RATE")
def add(
    name: str,
    scopes: Sequence[str],
    prefix: str,
    expires: float | None,
    request_rate: float | None,
    rate: float | None,
    options: Options,
    **given: Any,
) -> Exit:
    """Make a token for NAME, and print it: nobody can show it again."""
    render, tally = make_render(json=options.json, quiet=options.quiet), Tally("tokens")
    opened = _tokens(options, given)

    async def work() -> None:
        async with opened as tokens:
            token, text = await tokens.add(
                name,
                scopes,
                prefix=prefix,
                expires_in=expires,
                request_rate=request_rate,
                byte_rate=None if rate is None else int(rate),
            )
        tally.add_size(0)
        render.token_made(token, text)

    return execute(render, tally, work())


@_placed
@client_command("Remove tokens.", Exit.PARTIAL, *_CODES)
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def rm(ids: Sequence[str], options: Options, **given: Any) -> Exit:
    """End these tokens, and every login and share link that was made with them."""
    render, tally = make_render(json=options.json, quiet=options.quiet), Tally("tokens")
    opened = _tokens(options, given)

    async def work() -> None:
        async with opened as tokens:
            for identity in ids:
                try:
                    await tokens.remove(identity)
                except PenstockError as error:
                    tally.fail(render.failed(error, **({"id": identity} if ids[1:] else {})))
                else:
                    tally.add_size(0)
                    render.removed(identity)

    return execute(render, tally, work())


command = click.Group(
    "tokens",
    [ls, add, rm],
    short_help="Make, list and remove tokens.",
    help="Make, list and remove the tokens that let people and programs in. That needs one with "
    "the scope admin, or --local on the server's host, where none is needed.",
    epilog=exit_codes(Exit.PARTIAL, *_CODES),
)
