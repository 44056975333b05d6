"""The token that a command shows to its server, and where it comes from."""

import os
from collections.abc import Callable
from typing import Any, Final

import click

VARIABLE: Final = "PENSTOCK_TOKEN"

TOKEN_OPTIONS: Final[list[Callable[[Callable[..., Any]], Callable[..., Any]]]] = [
    click.option(
        "--token-file",
        metavar="FILE",
        type=click.Path(dir_okay=False, allow_dash=True),
        envvar="PENSTOCK_TOKEN_FILE",
        show_envvar=True,
        help="File that holds the token for the server, - for standard input. Without it the "
        f"token is that in {VARIABLE}, or the one that penstock login keeps.",
    ),
    click.option(
        "--token",
        metavar="TEXT",
        help="The token itself; others on the host can see it if it is given as a flag.",
    ),
]


def token_parameters() -> list[click.Parameter]:
    """The same, for commands that are made of parameters."""

    def bare() -> None:
        pass

    for option in reversed(TOKEN_OPTIONS):
        bare = option(bare)
    return list(click.command()(bare).params)


def token_given(file: str | None, text: str | None) -> str | None:
    """The token that this call names: by an option, else by the variable.

    :raises click.UsageError: two options do, or the file cannot be read.
    """
    if text is not None and file is not None:
        raise click.UsageError("give --token-file or --token, not both")
    if text is not None:
        return text.strip()
    if file is not None:
        return _read(file)
    return os.environ.get(VARIABLE, "").strip() or None


def line_of(descriptor: int) -> str:
    """The next line; what follows it is left for who reads next.

    :raises UnicodeDecodeError: it is no text.
    """
    line = b""
    while len(line) < _MOST and (one := os.read(descriptor, 1)) not in (b"", b"\n"):
        line += one
    return line.decode("ascii").strip()


def _read(file: str) -> str:
    try:
        if file == "-":
            return line_of(0)
        with open(file, encoding="ascii") as opened:
            return opened.read(_MOST).strip()
    except OSError as error:
        raise click.UsageError(f"--token-file: {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"--token-file: there is no token in {file}") from None


_MOST: Final = 4096
"""Characters; a token has some sixty."""
