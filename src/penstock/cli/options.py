"""The options that commands have in common."""

import functools
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from penstock.cli.sizes import parse_size
from penstock.cli.token_options import TOKEN_OPTIONS, token_given
from penstock.errors import Exit
from penstock.threads import in_thread

if TYPE_CHECKING:
    from penstock.client import Client

DEFAULT_SERVER = "http://127.0.0.1:8080"

MEANINGS = {
    Exit.OK: "done",
    Exit.FAILED: "failed",
    Exit.USAGE: "the command line is not understood",
    Exit.PARTIAL: "some of several items failed",
    Exit.NOT_FOUND: "no such file or folder",
    Exit.TEMPORARY: "server or network trouble, running it again may help",
    Exit.REFUSED: "the server refused, or something is in the way",
    Exit.MISMATCH: "the bytes do not match their digest",
    Exit.INTERRUPTED: "interrupted",
}
"""What each exit code says."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for beside the command's own arguments."""

    server: str
    json: bool
    quiet: bool
    limit_rate: float | None = None
    timeout: float = 60.0
    tries: int = 8
    token: str | None = field(default=None, repr=False)
    """What was given; without it the one that is kept for the server is shown."""

    @property
    def shows_progress(self) -> bool:
        """Whether a terminal gets a progress bar."""
        return not (self.quiet or self.json)

    @asynccontextmanager
    async def client(self, **more: Any) -> "AsyncIterator[Client]":
        """A client of the server that was asked for; ``more`` is what one command knows of."""
        from penstock.cli.logins import kept_token
        from penstock.client import Client

        try:
            token = more.get("token") or self.token or await in_thread(kept_token, self.server)
            made = Client(
                self.server,
                limit_rate=self.limit_rate,
                timeout=self.timeout,
                tries=self.tries,
                **{"token": token, **more},
            )
        except ValueError as error:
            raise click.UsageError(f"--server or --token: {error}") from None
        async with made as client:
            yield client


def _bytes(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    try:
        return None if value is None else parse_size(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _sha256(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and re.fullmatch("[0-9A-Fa-f]{64}", value, re.ASCII) is None:
        raise click.BadParameter("takes 64 hexadecimal digits")
    return None if value is None else value.lower()


server_option = click.option(
    "--server",
    metavar="URL",
    envvar="PENSTOCK_SERVER",
    default=DEFAULT_SERVER,
    show_default=True,
    show_envvar=True,
    help="Address of the server.",
)
_COMMON: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
    server_option,
    *TOKEN_OPTIONS,
    click.option("--json", is_flag=True, help="Print one JSON object per line, errors too."),
    click.option("--quiet", "-q", is_flag=True, help="Print errors only."),
    click.option(
        "--timeout",
        metavar="SECONDS",
        type=click.FloatRange(min=0.1),
        envvar="PENSTOCK_TIMEOUT",
        default=60.0,
        show_default=True,
        show_envvar=True,
        help="Longest silence of a connection.",
    ),
    click.option(
        "--tries",
        metavar="N",
        type=click.IntRange(min=1),
        envvar="PENSTOCK_TRIES",
        default=8,
        show_default=True,
        show_envvar=True,
        help="Tries in a row that may bring nothing.",
    ),
]

_TRANSFER: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
    click.option(
        "--limit-rate",
        metavar="RATE",
        callback=_bytes,
        envvar="PENSTOCK_LIMIT_RATE",
        show_envvar=True,
        help="Most bytes per second, such as 500K or 40M (units of 1,024).",
    ),
]


def parallel_option(meaning: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--parallel``."""
    return click.option(
        "--parallel",
        metavar="N",
        type=click.IntRange(min=1, max=16),
        envvar="PENSTOCK_PARALLEL",
        default=4,
        show_default=True,
        show_envvar=True,
        help=meaning,
    )


def sha256_option(meaning: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--sha256``; the command gets it in lower case."""
    return click.option("--sha256", metavar="HEX", callback=_sha256, help=meaning)


def size_option(
    flag: str, meaning: str, metavar: str = "BYTES"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option whose value is bytes, such as ``512K``."""
    return click.option(flag, metavar=metavar, callback=_bytes, help=meaning)


def client_command(
    summary: str, *codes: Exit, transfers: bool = False
) -> Callable[[Callable[..., Exit]], click.Command]:
    """Make a command that speaks to a server out of a function that takes ``options``.

    ``summary`` is its short help, the function's docstring the long one; ``codes`` are the exit
    codes it can end with beside the usual ones.
    """

    def decorate(function: Callable[..., Exit]) -> click.Command:
        @functools.wraps(function)
        def wrapper(
            server: str, json: bool, quiet: bool, timeout: float, tries: int, **rest: Any
        ) -> Exit:
            limit_rate = rest.pop("limit_rate", None)
            token = token_given(rest.pop("token_file"), rest.pop("token"))
            options = Options(server, json, quiet, limit_rate, timeout, tries, token)
            return function(options=options, **rest)

        made: Callable[..., Exit] = wrapper
        for option in reversed(_COMMON + (_TRANSFER if transfers else [])):
            made = option(made)
        return click.command(short_help=summary, epilog=exit_codes(*codes))(made)

    return decorate


def exit_codes(*codes: Exit) -> str:
    """The paragraph of a command's help that tells its exit codes."""
    usual = {Exit.OK, Exit.FAILED, Exit.USAGE, Exit.INTERRUPTED}
    lines = [f"  {int(code):<3}  {MEANINGS[code]}" for code in Exit if code in usual | {*codes}]
    return "\b\nExit codes:\n" + "\n".join(lines)
