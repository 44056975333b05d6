"""What the commands of s3testcase's client have in common: where the service is, and failures."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import click

from penstock.cli.execute import execute
from penstock.cli.options import Options
from penstock.cli.render import Render, make_render
from penstock.cli.tally import Tally
from penstock.errors import Exit, PenstockError


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    url = value if "://" in value else f"http://{value}"
    try:
        if urlsplit(url).hostname:
            return url
    except ValueError:
        pass
    raise click.BadParameter(f"{value!r} is neither HOST:PORT nor a URL")


addr_option = click.option(
    "--addr",
    "-a",
    metavar="HOST:PORT|URL",
    callback=_address,
    help="Address of the service; stands for --server.",
)


def run(
    command: str,
    options: Options,
    addr: str | None,
    work: Callable[[Options, Render, Tally], Coroutine[Any, Any, None]],
    hint: str = "",
) -> Exit:
    """Do the work; what it fails with is told as ``COMMAND failed``."""
    options = replace(options, server=addr or options.server)
    render = make_render(json=options.json, quiet=options.quiet)
    tally = Tally(command)

    async def work_or_tell() -> None:
        try:
            await work(options, render, tally)
        except BrokenPipeError:
            raise
        except (PenstockError, OSError) as error:
            outcome = f"{command} failed{_how(error)}"
            tally.fail(render.failed(error, outcome=outcome))

    return execute(render, tally, work_or_tell(), hint)


def _how(error: Exception) -> str:
    """What the client of s3testcase says of it."""
    if isinstance(error, PenstockError):
        status = error.extra.get("status")
        return f": server returned status {status}" if isinstance(status, int) else ""
    return ": cannot open file" if isinstance(error, OSError) and error.filename else ""
