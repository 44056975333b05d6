"""``penstock config`` and the command below it."""

import json as json_format
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import SecretStr

from penstock.cli.names import is_url, shown_url
from penstock.cli.options import exit_codes
from penstock.cli.settings_options import options_of, understood
from penstock.errors import Exit, PenstockError
from penstock.settings import Settings

if TYPE_CHECKING:
    from penstock.settings_origins import Origin, Unknown


def _show(*, origins: bool, changed: bool, json: bool, **given: Any) -> Exit:
    from penstock.settings_origins import Kind, settings_with_origins

    flags = {name: value for name, value in given.items() if value is not None}
    with understood():
        settings, where = settings_with_origins(flags)
    for name in Settings.model_fields:
        if changed and where[name].kind is Kind.DEFAULT:
            continue
        value = _shown(name, getattr(settings, name))
        click.echo(
            _json(name, value, where[name]) if json else _toml(name, value, where[name], origins)
        )
    for unknown in _unknown():
        if json:
            click.echo(json_format.dumps({"message_type": "unknown", **unknown._asdict()}))
        else:
            click.echo(f"penstock: {unknown.text}", err=True)
    return Exit.OK


def _unknown() -> "Iterator[Unknown]":
    from penstock.cli.variables import command_variables
    from penstock.settings_origins import unknown_names

    return unknown_names(command_variables())


def _toml(name: str, value: object, origin: "Origin", origins: bool) -> str:
    """A line of penstock.toml."""
    # Strings and numbers of JSON are those of TOML.
    line = f"{name} = {json_format.dumps(value, ensure_ascii=False)}"
    return f"{line:<40}  # {_place(origin)}" if origins else line


def _place(origin: "Origin") -> str:
    return f"{origin.kind}: {origin.where}" if origin.where else str(origin.kind)


def _json(name: str, value: object, origin: "Origin") -> str:
    facts: Mapping[str, object] = {
        "name": name,
        "value": value,
        "origin": str(origin.kind),
        "where": origin.where or None,
    }
    return json_format.dumps({"message_type": "setting", **facts})


def _shown(name: str, value: object) -> object:
    """The value without what is secret in it."""
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    if name == "catalog" and value:
        return _catalog(str(value))
    if isinstance(value, str) and is_url(value):
        return shown_url(value)
    if isinstance(value, Path):
        return str(value)
    return value


def _catalog(url: str) -> str:
    from penstock.catalog.looking import shown

    try:
        return shown(url)
    except PenstockError:  # it is none, so what is secret in it cannot be told apart
        return "***"


show = click.Command(
    "show",
    params=[
        click.Option(["--origins"], is_flag=True, help="Tell where each value comes from."),
        click.Option(["--changed"], is_flag=True, help="Leave out what nobody has set."),
        click.Option(["--json"], is_flag=True, help="Print one JSON object per line."),
        *options_of(Settings.model_fields),
    ],
    callback=_show,
    short_help="Show every setting and its value.",
    help="Show every setting of the server and its value, as lines of penstock.toml; secrets as "
    "***. Run it where the server is run, with the same options: what it shows is what penstock "
    "serve would use.\n\nNames in penstock.toml, and variables that begin with PENSTOCK_, which "
    "are no settings are pointed out: they are ignored.",
    epilog=exit_codes(),
)

command = click.Group(
    "config",
    [show],
    short_help="Show the settings and where they come from.",
    help="Show the settings of the server and where they come from: a flag, else a variable of the "
    "environment, else penstock.toml in the working directory, else a variable of StreamVault, "
    "else the default.",
    epilog=exit_codes(),
)
