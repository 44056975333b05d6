"""``penstock worker``: its options are those settings of the server that jobs have to do with."""

from typing import Any

import click

from penstock.cli.options import exit_codes
from penstock.cli.settings_options import options_of, settings_of
from penstock.errors import Exit
from penstock.settings import Settings

_NAMES = {"data", "store", "catalog", "pulls", "max_body", "max_zip_entries", "sha256"}
_PREFIXES = (
    *("archive", "remote_", "s3_", "cluster_", "max_upload", "upload_", "hooks_", "io_", "log_"),
)


def _work(**given: Any) -> Exit:
    from penstock.wiring import work

    return work(settings_of(given))


command = click.Command(
    "worker",
    params=options_of(
        name for name in Settings.model_fields if name in _NAMES or name.startswith(_PREFIXES)
    ),
    callback=_work,
    short_help="Do the server's jobs in a process of its own.",
    help="Do jobs, such as pulls and archives, until a signal ends it. It needs the store and the "
    "catalog of the server, and listens on no port. SIGTERM, SIGINT and SIGHUP give its jobs back, "
    "so that others go on with them; a second signal ends it at once.\n\nEvery option can also be "
    "set by its environment variable or in penstock.toml; the command line wins.",
    epilog=exit_codes(),
)
