"""The variables of the environment that are options of commands, or the program's own."""

from collections.abc import Iterator
from typing import Final

import click

_OWN: Final = ("PENSTOCK_TOKEN", "PENSTOCK_DEBUG")
"""Those that no option is made of."""


def command_variables() -> frozenset[str]:
    """What commands read beside the settings."""
    from penstock.cli.root import root

    return frozenset({*_OWN, *_variables(root, click.Context(root))})


def _variables(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.params:
        names = parameter.envvar
        yield from [names] if isinstance(names, str) else names or ()
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _variables(below, context)
