"""docs/reference/commands.md: every command, its options, exit codes and error codes."""

import inspect
import re
from collections.abc import Iterator
from typing import Final

import click

from penstock import errors
from penstock.cli.options import MEANINGS
from penstock.cli.root import root
from penstock.errors import PenstockError
from penstock.settings import Settings

_HEAD: Final = """\
# Commands

Look up every command of `penstock`, as `penstock COMMAND --help` tells it too. Those that speak to
a server find it by `--server` or `PENSTOCK_SERVER`, and show it a token if they have one. With
`--json` each prints one JSON object per line, errors too; the last one, `summary`, has the exit
code.

This page is made of the commands themselves by `make reference`.
"""

_EXIT: Final = """
## Exit codes

| Code | Meaning |
| --- | --- |
"""

_ERRORS: Final = """
## Error codes

What `code` says in a problem document (RFC 9457) of the server and in the JSON lines of the
commands; the HTTP status it is answered with; the exit code of a command that meets it; and whether
the same request may succeed later.

| Code | Status | Exit code | Again? | Meaning |
| --- | --- | --- | --- | --- |
"""

_MEANING: Final = re.compile(r"^[│├└─ ]*(\w+) +(\d{3})(?:  (.+))?$", re.MULTILINE)


def commands_page() -> str:
    """The whole page."""
    context = click.Context(root, info_name="penstock")
    sections = [section for name in root.list_commands(context) for section in _of(name, context)]
    codes = "".join(f"| {int(code)} | {text} |\n" for code, text in MEANINGS.items())
    return _HEAD + "".join(sections) + _EXIT + codes + _ERRORS + "".join(_errors())


def _of(name: str, above: click.Context) -> Iterator[str]:
    """The section of one command, and those of the commands below it."""
    assert isinstance(above.command, click.Group)
    command = above.command.get_command(above, name)
    assert command is not None
    context = click.Context(command, info_name=name, parent=above)
    yield _section(command, context)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            yield from _of(below, context)


def _section(command: click.Command, context: click.Context) -> str:
    usage = command.get_usage(context).removeprefix("Usage: ")
    level = "##" if context.command_path.count(" ") == 1 else "###"
    parts = [f"\n{level} {context.command_path}\n", f"```text\n{usage}\n```\n", _prose(command)]
    options = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    own = [one for one in options if _is_own(one, command)]
    if own:
        parts.append(_table(own, context))
    if settings := _settings_of(command):
        parts.append(_settings(settings))
    if codes := _exit_codes(command):
        parts.append(f"Exit codes: {codes}.\n")
    return "\n".join(parts)


def _is_own(option: click.Option, command: click.Command) -> bool:
    return "--help" not in option.opts and option.name not in _settings_of(command)


def _prose(command: click.Command) -> str:
    """The long help; paragraphs that are to stay as they are become blocks."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return (
        "\n\n".join(
            f"```text\n{one.removeprefix(_AS_IT_IS)}\n```"
            if one.startswith(_AS_IT_IS)
            else _text(one)
            for one in paragraphs
        )
        + "\n"
    )


_AS_IT_IS: Final = "\b\n"


def _text(paragraph: str) -> str:
    return re.sub(r"([*_<>|])", r"\\\1", " ".join(paragraph.split()))


def _table(options: list[click.Option], context: click.Context) -> str:
    rows = []
    for option in options:
        record = option.get_help_record(context)
        if record is None:
            continue
        names, text = record
        rows.append(f"| `{_cell(names)}` | {_text(text)} |\n")
    return "| Option | Meaning |\n| --- | --- |\n" + "".join(rows)


def _cell(code: str) -> str:
    """Code in a table, where a bar would end its cell."""
    return code.replace("|", "\\|")


def _settings_of(command: click.Command) -> list[str]:
    """Options that are settings of the server: made of them, with their variables."""
    return [
        option.name
        for option in command.params
        if isinstance(option, click.Option)
        and option.name in Settings.model_fields
        and f"PENSTOCK_{option.name.upper()}" in (option.help or "")
    ]


def _settings(names: list[str]) -> str:
    if len(names) == len(Settings.model_fields):
        return "And every one of the [settings](settings.md).\n"
    flags = ", ".join(f"`--{name.replace('_', '-')}`" for name in names)
    return f"And of the [settings](settings.md): {flags}.\n"


def _exit_codes(command: click.Command) -> str:
    return ", ".join(re.findall(r"^  (\d+) ", command.epilog or "", re.MULTILINE))


def _errors() -> Iterator[str]:
    told = {name: text or "" for name, _, text in _MEANING.findall(errors.__doc__ or "")}
    for kind in sorted(_tree(PenstockError), key=lambda kind: (kind.status, kind.code)):
        again = "yes" if kind.retryable else ""
        text = _text(told.get(kind.__name__, ""))
        yield f"| `{kind.code}` | {kind.status} | {int(kind.exit_code)} | {again} | {text} |\n"


def _tree(kind: type[PenstockError]) -> Iterator[type[PenstockError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _tree(below)
