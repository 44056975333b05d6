"""The manual pages, made of the commands: ``python -m tools.manual FOLDER``.

The wheel brings them to share/man/man1, so that ``man penstock`` and ``man penstock-put`` work
where that is looked into. They are written as man(7) says.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from penstock import __version__
from penstock.cli.root import root

_FILES: Final = """\
.SH FILES
.TP
penstock.toml
Settings of the server, looked for in the working directory.
"""


def write(folder: Path) -> None:
    """A page for penstock and one for each of its commands."""
    folder.mkdir(parents=True, exist_ok=True)
    top = click.Context(root, info_name="penstock")
    names = root.list_commands(top)
    _write(folder, "penstock", [*_page(top), *_commands(top), _FILES, *_see(names)])
    for name in names:
        command = root.get_command(top, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=top)
        _write(folder, f"penstock-{name}", [*_page(context), *_below(context), *_see([])])


def _write(folder: Path, name: str, parts: list[str]) -> None:
    (folder / f"{name}.1").write_text("".join(parts), encoding="utf-8")


def _page(context: click.Context) -> Iterator[str]:
    """Name, synopsis, description, options and exit codes."""
    command = context.command
    name = context.command_path.replace(" ", "-")
    yield f'.TH {_text(name).upper()} 1 "" "Penstock {__version__}" "Penstock"\n'
    yield f".SH NAME\n{_text(name)} \\- {_text(command.get_short_help_str(200).rstrip('.'))}\n"
    yield ".SH SYNOPSIS\n"
    yield _synopsis(context)
    yield ".SH DESCRIPTION\n"
    yield _prose(command.help or "")
    yield ".SH OPTIONS\n"
    yield from _options(context)
    if command.epilog:
        yield ".SH EXIT STATUS\n"
        for code, text in re.findall(r"^  (\d+) +(.+)$", command.epilog, re.MULTILINE):
            yield f".TP\n.B {code}\n{_text(text)}\n"


def _synopsis(context: click.Context) -> str:
    words = context.command.collect_usage_pieces(context)
    return f".B {_text(context.command_path)}\n{_text(' '.join(words))}\n"


def _options(context: click.Context) -> Iterator[str]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield f".TP\n.B {_text(record[0])}\n{_text(record[1])}\n"


def _commands(context: click.Context) -> Iterator[str]:
    yield ".SH COMMANDS\n"
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f".TP\n.BR penstock\\-{_text(name)} (1)\n{_text(command.get_short_help_str(200))}\n"


def _below(context: click.Context) -> Iterator[str]:
    """The commands of a command."""
    group = context.command
    if not isinstance(group, click.Group):
        return
    yield ".SH COMMANDS\n"
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        below = click.Context(command, info_name=name, parent=context)
        yield f".SS {_text(below.command_path)}\n"
        yield _synopsis(below)
        yield f".PP\n{_prose(command.help or '')}"
        yield from _options(below)


def _see(names: list[str]) -> Iterator[str]:
    yield ".SH SEE ALSO\n"
    pages = [f"penstock\\-{_text(name)}" for name in names] or ["penstock"]
    yield "".join(f".BR {page} (1){',' if page != pages[-1] else ''}\n" for page in pages)


def _prose(text: str) -> str:
    """Paragraphs; those that click leaves as they are stay so."""
    parts = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            lines = _lines(paragraph.removeprefix("\b\n"))
            parts.append(f".PP\n.nf\n{lines}\n.fi\n")
        elif paragraph:
            parts.append(f".PP\n{_text(' '.join(paragraph.split()))}\n")
    return "".join(parts).removeprefix(".PP\n")


def _lines(text: str) -> str:
    return "\n".join(_text(line) if line else "\\&" for line in text.splitlines())


def _text(text: str) -> str:
    """With nothing in it that troff would take for its own."""
    escaped = " ".join(text.splitlines()).replace("\\", "\\e").replace("-", "\\-")
    escaped = escaped.replace("'", "\\(aq").replace("`", "\\(ga").replace("\b", "")
    return f"\\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    write(Path(sys.argv[1]))
