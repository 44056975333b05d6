"""``penstock doctor``: looks over what the settings of the server name."""

import asyncio
import json as json_format
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.options import exit_codes
from penstock.cli.settings_options import options_of, settings_of
from penstock.errors import Exit
from penstock.settings import Settings

if TYPE_CHECKING:
    from penstock.doctor import Examination, Finding

_NAMES = ("data", "store", "catalog")
_PREFIXES = ("s3_", "cluster_")


def _doctor(*, json: bool, **given: Any) -> Exit:
    from penstock.wiring import examination

    return asyncio.run(_examine(examination(settings_of(given)), json=json))


async def _examine(examination: "Examination", *, json: bool) -> Exit:
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
        click.Option(["--json"], is_flag=True, help="Print one JSON object per line."),
    ],
    callback=_doctor,
    short_help="Look over what the server's settings name.",
    help="Look over what the settings of the server name, without starting one: the folder of its "
    "data, the catalog, the store and, in S3, what the server there can do, or in a cluster, how "
    "each storage node stands. Each line is ok, "
    "absent (what something cannot do, and what is done instead), warning or broken.\n\n"
    "Small files are written to the store and removed again; nothing else is changed. The "
    "options are those of serve, and are taken from the same places.",
    epilog=exit_codes(),
)
