"""``penstock login``."""

import sys

import click

from penstock.cli.execute import execute
from penstock.cli.logins import keep_token
from penstock.cli.options import Options, client_command
from penstock.cli.render import make_render
from penstock.cli.tally import Tally
from penstock.cli.token_options import line_of
from penstock.errors import Exit, WrongState
from penstock.threads import in_thread


@client_command("Keep a token for the server.", Exit.TEMPORARY, Exit.REFUSED)
def command(options: Options) -> Exit:
    """Ask for a token, show it to the server, and keep it if it is good.

    From then on every command that speaks to this server shows it, unless another is given. It is
    kept in penstock/tokens.toml below $XDG_CONFIG_HOME (~/.config), which only its user can read.
    Without a terminal the token is the first line of standard input.
    """
    render, tally = make_render(json=options.json, quiet=options.quiet), Tally("login")
    token = options.token or _asked(options.server)

    async def work() -> None:
        async with options.client(token=token) as client:
            session = await client.tokens.session()
            if not session.access:
                raise WrongState("this server asks nobody for a token, so none was kept")
            where = await in_thread(keep_token, options.server, token)
        tally.add_size(0)
        render.logged_in(session, options.server, where)

    return execute(render, tally, work())


def _asked(server: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(f"Token for {server}", hide_input=True, err=True)).strip()
    try:
        token = line_of(0)
    except UnicodeDecodeError:
        token = ""
    if not token:
        raise click.UsageError("there is no token on standard input")
    return token
