"""``penstock serve``: its options are the fields of the settings."""

from typing import Any

import click

from penstock.cli.options import exit_codes
from penstock.cli.settings_options import options_of, settings_of
from penstock.errors import Exit
from penstock.settings import Settings


def _serve(**given: Any) -> Exit:
    from penstock.wiring import serve

    return serve(settings_of(given))


command = click.Command(
    "serve",
    params=options_of(Settings.model_fields),
    callback=_serve,
    short_help="Run the server.",
    help="Serve the files of a folder until a signal ends it. SIGTERM, SIGINT and SIGHUP let "
    "transfers in flight finish.\n\nEvery option can also be set by its environment variable or in "
    "penstock.toml; the command line wins.",
    epilog=exit_codes(),
)
