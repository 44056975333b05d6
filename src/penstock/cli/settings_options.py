"""Options that are the fields of the settings."""

import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args, get_origin

import click
from pydantic import ByteSize, ValidationError
from pydantic.fields import FieldInfo

from penstock.settings import Settings

_METAVARS = {
    "timeout": "SECONDS",
    "expiry": "SECONDS",
    "after": "SECONDS",
    "every": "SECONDS",
    "grace": "SECONDS",
    "body": "BYTES",
    "data": "DIR",
    "store": "URL",
}


def options_of(names: Iterable[str]) -> list[click.Parameter]:
    """An option for each of these settings. What is not given is not passed on."""
    return [_option(name, Settings.model_fields[name]) for name in names]


def settings_of(given: dict[str, Any]) -> Settings:
    """The settings, with what was given as options before all else.

    :raises click.UsageError: as by :func:`understood`.
    """
    with understood():
        return Settings(**{name: value for name, value in given.items() if value is not None})


@contextmanager
def understood() -> Iterator[None]:
    """Tells what cannot be of the settings that are made meanwhile.

    :raises click.UsageError: a value, or penstock.toml, is not understood.
    """
    try:
        yield
    except ValidationError as error:
        raise click.UsageError(_told(error)) from None
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"penstock.toml is no TOML: {error}") from None


def _option(name: str, field: FieldInfo) -> click.Option:
    """The option of one setting. It has no default: what is not given is not passed on."""
    flag = "--" + name.replace("_", "-")
    kind: dict[str, Any] = {"metavar": _metavar(name, field)}
    if field.annotation is bool:
        flag, kind = f"{flag}/--no-{flag[2:]}", {"default": None}
    elif get_origin(field.annotation) is Literal:
        kind = {"type": click.Choice([str(choice) for choice in get_args(field.annotation)])}
    return click.Option([flag], help=_help(name, field), **kind)


def _metavar(name: str, field: FieldInfo) -> str:
    """The unit where there is one."""
    last = name.rpartition("_")[2]
    return _METAVARS.get(last, "N" if isinstance(field.default, int) else last.upper())


def _help(name: str, field: FieldInfo) -> str:
    default = field.get_default()
    if isinstance(default, ByteSize):
        default = default.human_readable()
    facts = [f"env var: PENSTOCK_{name.upper()}"]
    if str(default) != "":
        facts.append(f"default: {default}")
    text = (field.description or "").rstrip(".")
    return f"{text[:1].upper()}{text[1:]}.  [{'; '.join(facts)}]"


def _told(error: ValidationError) -> str:
    """Which setting is wrong and why, wherever it was set."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else "settings"
    flag = "--" + name.replace("_", "-")
    # What a check of ours raised is told in its own words.
    raised = first.get("ctx", {}).get("error")
    why = str(raised) if first["type"] == "value_error" and raised else first["msg"]
    return f"{flag} (or PENSTOCK_{name.upper()}): {why}"
