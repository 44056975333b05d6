"""``penstock doctor``: looks over what the settings of the server name."""

import asyncio
import json as json_format
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from penstock.cli.options import exit_codes
from penstock.cli.settings_options import options_of, settings_of
from penstock.cli.token_options import token_given, token_parameters
from penstock.errors import Exit
from penstock.settings import Settings

if TYPE_CHECKING:
    from penstock.doctor import Examination, Finding
    from penstock.doctor.through import Through

_NAMES = ("data", "store", "catalog", "host", "access", "public_url", "max_transfers")
_PREFIXES = ("s3_", "cluster_")


def _doctor(
    *,
    through: str | None,
    slow: bool,
    token: str | None,
    token_file: str | None,
    json: bool,
    **given: Any,
) -> Exit:
    if through is not None:
        return asyncio.run(_examine(_proxied(through, token_given(token_file, token), slow), json))
    if slow or any(_is_flag(name) for name in ("token", "token_file")):
        raise click.UsageError("--slow, --token and --token-file go with --through")
    from penstock.cli.variables import command_variables
    from penstock.wiring import examination

    return asyncio.run(_examine(examination(settings_of(given), command_variables()), json))


def _is_flag(name: str) -> bool:
    """Whether an option was given on the command line, and not by a variable that others use."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _proxied(url: str, token: str | None, slow: bool) -> "Through":
    from penstock.cli.logins import kept_token
    from penstock.client.bearer import bearer_of
    from penstock.client.http import check_server
    from penstock.doctor.through import PAUSE, Through

    try:
        token = token or kept_token(url)
        bearer_of(check_server(url), token)
    except ValueError as error:
        raise click.UsageError(f"--through or --token: {error}") from None
    return Through(url.rstrip("/"), token, PAUSE if slow else 0.0)


async def _examine(examination: "Examination | Through", json: bool) -> Exit:
    counts: Counter[str] = Counter()
    async with aclosing(examination.findings()) as findings:
        async for finding in findings:
            counts[finding.state] += 1
            _say(finding, json=json)
    code = Exit.FAILED if counts["broken"] else Exit.OK
    if json:
        _emit("summary", command="doctor", **counts, exit_code=int(code))
    else:
        told = [f"{counts[name]} {name}" for name in ("broken", "warning") if counts[name]]
        click.echo(", ".join(told) if told else "all is well")
    return code


def _say(finding: "Finding", *, json: bool) -> None:
    from penstock.cli.render import printable

    if json:
        _emit("finding", **finding._asdict())
    else:
        click.echo(f"{finding.state:<8} {printable(finding.name)}: {printable(finding.text)}")


def _emit(kind: str, **members: object) -> None:
    click.echo(json_format.dumps({"message_type": kind, **members}))


command = click.Command(
    "doctor",
    params=[
        *options_of(n for n in Settings.model_fields if n in _NAMES or n.startswith(_PREFIXES)),
        click.Option(
            ["--through"],
            metavar="URL",
            help="Look at a running server instead, by requests to URL: at what a reverse proxy "
            "between us makes of them.",
        ),
        *token_parameters(),
        click.Option(
            ["--slow"],
            is_flag=True,
            help="With --through: also try a pause of 75 seconds, which many proxies cut off.",
        ),
        click.Option(["--json"], is_flag=True, help="Print one JSON object per line."),
    ],
    callback=_doctor,
    short_help="Look over what the server's settings name.",
    help="Look over what the settings of the server name, without starting one: the folder of its "
    "data, the catalog, the store and, in S3, what the server there can do, or in a cluster, how "
    "each storage node stands. Each line is ok, "
    "absent (what something cannot do, and what is done instead), warning or broken.\n\n"
    "Small files are written to the store and removed again; nothing else is changed. The "
    "options are those of serve, and are taken from the same places.\n\n"
    "--through looks at a server that is running, as users reach it. The token needs the scopes "
    "read and write. What is put there for it is in a folder of its own, and removed again.",
    epilog=exit_codes(),
)
