"""Where each setting comes from, as the very sources tell that the settings are made of."""

import difflib
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    TomlConfigSettingsSource,
)

from penstock.settings import Settings
from penstock.settings_elsewhere import StreamVaultSource

PREFIX: Final = "PENSTOCK_"


class Kind(StrEnum):
    """What sort of place a value was taken from; each comes before those below it."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    STREAMVAULT = "streamvault"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Origin:
    """``where``: the flag, the variable, the path of the file; empty for a default."""

    kind: Kind
    where: str = ""


class Unknown(NamedTuple):
    """A name that looks like a setting and is none. ``nearest`` is the one that may be meant."""

    name: str
    where: str
    nearest: str | None

    @property
    def text(self) -> str:
        """What there is to say of it."""
        meant = f"; {self.nearest} may be meant" if self.nearest else ""
        return f"{self.name} in {self.where} is no setting, and is ignored{meant}"


def settings_with_origins(given: Mapping[str, Any]) -> tuple[Settings, Mapping[str, Origin]]:
    """The settings, with what was ``given`` as flags before all else, and where each is from.

    :raises pydantic.ValidationError: a value cannot be.
    """
    sources: tuple[PydanticBaseSettingsSource, ...] = ()

    class _Settings(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            nonlocal sources
            sources = super().settings_customise_sources(
                settings_cls, init_settings, env_settings, dotenv_settings, file_secret_settings
            )
            return sources

    made = _Settings(**given)
    origins: dict[str, Origin] = {}
    for source in sources:  # each remembers what those before it told
        for name in source():
            origins.setdefault(name, _origin(source, name))
    default = Origin(Kind.DEFAULT)
    return made, {name: origins.get(name, default) for name in Settings.model_fields}


def _origin(source: PydanticBaseSettingsSource, name: str) -> Origin:
    if isinstance(source, EnvSettingsSource):
        return Origin(Kind.ENVIRONMENT, _variable(name))
    if isinstance(source, TomlConfigSettingsSource):
        return Origin(Kind.FILE, str(_file()))
    if isinstance(source, StreamVaultSource):
        return Origin(Kind.STREAMVAULT, source.variables[name])
    return Origin(Kind.FLAG, "--" + name.replace("_", "-"))


def _variable(name: str) -> str:
    """The variable as it is written in the environment: its case does not matter."""
    wanted = f"{PREFIX}{name}".upper()
    return next((found for found in os.environ if found.upper() == wanted), wanted)


def _file() -> Path:
    return Path(str(Settings.model_config["toml_file"])).absolute()


def unknown_names(known_variables: Collection[str]) -> Iterator[Unknown]:
    """What is written like a setting, and heeded by nobody; ``known_variables`` of the environment
    are those that are no settings, but options of commands.

    :raises OSError: the file cannot be read.
    :raises ValueError: it is not TOML.
    """
    settings = Settings.model_fields
    names = {*(f"{PREFIX}{name}".upper() for name in settings), *known_variables}
    for variable in sorted(os.environ):
        if variable.upper().startswith(PREFIX) and variable.upper() not in names:
            yield Unknown(variable, "the environment", _nearest(variable.upper(), names))
    for name in TomlConfigSettingsSource(Settings).toml_data:
        if name not in settings:
            yield Unknown(name, str(_file()), _nearest(name, settings))


def _nearest(name: str, names: Collection[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, names, 1, 0.7)), None)
