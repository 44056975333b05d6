"""``penstock relay``."""

from pathlib import Path
from typing import Any

import click

from penstock.cli.headers import headers_of
from penstock.cli.options import exit_codes
from penstock.cli.service_options import ServiceOptions
from penstock.cli.sizes import parse_size
from penstock.cli.token_options import token_given
from penstock.errors import Exit

_SECONDS = click.FloatRange(min=0.1)
_COUNT = click.IntRange(min=1)


def _headers(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    return headers_of(values)


def _size(context: click.Context, parameter: click.Parameter, value: str) -> int:
    try:
        return int(parse_size(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


class _Lines(click.types.StringParamType):
    """A text; several, one per line, in an environment variable."""

    def split_envvar_value(self, rv: str) -> list[str]:
        return rv.splitlines()


_SERVICE = ServiceOptions("relay")
_option = _SERVICE.option

_OPTIONS = (
    _option("upstream", "URL", "Server that has the files.", required=True),
    _option(
        "dir",
        "DIR",
        "Folder for everything: files of /download here, the cache below .penstock.",
        names=["folder"],
        type=click.Path(path_type=Path),
        default=Path("penstock-relay"),
    ),
    *_SERVICE.listening(8888),
    _option(
        "access-token",
        "TOKEN",
        "What callers have to send, as a bearer token or as the password of HTTP Basic; needed on "
        "any other than a loopback address. Others on the host can see options, but not the "
        "environment variable.",
        envvar="PENSTOCK_RELAY_TOKEN",
        default="",
        show_default=False,
    ),
    click.Option(
        ["--open", "is_open"],
        is_flag=True,
        envvar="PENSTOCK_RELAY_OPEN",
        show_envvar=True,
        help="Let anybody use it who can reach ADDRESS.",
    ),
    _option("parallel", "N", "Most connections that bring one file.", type=_COUNT, default=4),
    _option(
        "header",
        "'NAME: VALUE'",
        "Field of every request to the upstream, such as credentials; may be given again. Others "
        "on the host can see options, but not the environment variable, which has one per line.",
        names=["headers"],
        type=_Lines(),
        multiple=True,
        callback=_headers,
        envvar="PENSTOCK_RELAY_HEADERS",
    ),
    _option(
        "max-age",
        "SECONDS",
        "How long a file is sent without asking the upstream whether it changed.",
        type=click.FloatRange(min=0),
        default=0.0,
    ),
    _option(
        "cache-size",
        "BYTES",
        "Most bytes of kept files together; what was used least lately goes first.",
        callback=_size,
        default="10GiB",
    ),
    _option("timeout", "SECONDS", "Longest silence of the upstream.", type=_SECONDS, default=60.0),
    _option(
        "tries", "N", "Tries in a row that may bring nothing of a file.", type=_COUNT, default=8
    ),
    _option(
        "token-file",
        "FILE",
        "File that holds the token for the upstream; without it the one in PENSTOCK_TOKEN, if that "
        "is set. Who can reach the relay reads with it.",
        envvar="PENSTOCK_TOKEN_FILE",
    ),
    *_SERVICE.limits(),
    _SERVICE.log_format(),
)


def _relay(**given: Any) -> Exit:
    from urllib.parse import urlsplit

    from penstock.client.bearer import bearer_of
    from penstock.client.http import check_server
    from penstock.relay import Options
    from penstock.wiring import relay

    token = token_given(given.pop("token_file"), None)
    if any(name.lower() == "authorization" for name in given["headers"]):
        token = None
    try:
        given["headers"] |= bearer_of(check_server(given["upstream"]), token)
    except ValueError as error:
        raise click.UsageError(f"--upstream or --token-file: {error}") from None
    if urlsplit(given["upstream"]).username is not None:
        raise click.UsageError("--upstream: give credentials by --header, not in the address")
    return relay(Options(**given))


command = click.Command(
    "relay",
    params=list(_OPTIONS),
    callback=_relay,
    short_help="Pass another server's files on, and keep them.",
    help="Stand before the server at URL and pass its files on.\n\n"
    "GET /v1/files/KEY sends the upstream's file while it comes, and keeps it: one fetch, however "
    "many callers want it. GET /download/NAME brings the upstream's /download/NAME into DIR and "
    "answers when it is there, as the client service of file_upload does.\n\n"
    "SIGTERM, SIGINT and SIGHUP let answers in flight finish. Files that are incomplete then, or "
    "after a crash, are gone on with when the relay is started again.",
    epilog=exit_codes(),
)
