"""``penstock logout``."""

import click

from penstock.cli.logins import forget_token
from penstock.cli.options import exit_codes, server_option
from penstock.cli.render import make_render
from penstock.errors import Exit, PenstockError


@click.command(short_help="Keep no token for the server any more.", epilog=exit_codes(Exit.REFUSED))
@server_option
@click.option("--json", is_flag=True, help="Print one JSON object per line, errors too.")
@click.option("--quiet", "-q", is_flag=True, help="Print errors only.")
def command(server: str, json: bool, quiet: bool) -> Exit:
    """Forget the token that penstock login kept for the server. The token itself stays good until
    it expires: penstock tokens rm ends it."""
    render = make_render(json=json, quiet=quiet)
    try:
        render.logged_out(server, was_kept=forget_token(server))
    except ValueError as error:
        raise click.UsageError(f"--server: {error}") from None
    except (PenstockError, OSError) as error:
        return render.failed(error)
    return Exit.OK
