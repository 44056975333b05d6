"""``penstock serve``: its options are the fields of the settings."""

from functools import partial
from typing import Any

import click
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from penstock.cli.options import exit_codes
from penstock.cli.settings_options import options_of, settings_of
from penstock.errors import BadRequest
from penstock.settings import Settings
from penstock.systemd import end_with_parent, place


class _AsSupervised(Settings):
    """Of the variables alone: the supervisor has read the file, which may be another by now."""

    model_config = SettingsConfigDict(toml_file=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (env_settings,)


def _serve(**given: Any) -> int:
    if (here := place()) is not None:
        end_with_parent(here.supervisor)
        settings: Settings = _AsSupervised()
    else:
        settings = settings_of(given)
        if settings.workers > 1:
            from penstock.supervisor import supervise

            return supervise(partial(_read, given))
    from penstock.wiring import serve

    return serve(settings)


def _read(given: dict[str, Any]) -> Settings:
    """The settings as they are now.

    :raises BadRequest: a value cannot be; the text names it.
    """
    try:
        return settings_of(given)
    except click.UsageError as error:
        raise BadRequest(error.message) from None


command = click.Command(
    "serve",
    params=options_of(Settings.model_fields),
    callback=_serve,
    short_help="Run the server.",
    help="Serve the files of a folder until a signal ends it. SIGTERM, SIGINT and SIGHUP let "
    "transfers in flight finish. With several workers SIGHUP has new ones read the settings again "
    "and take over.\n\nEvery option can also be set by its environment variable or in "
    "penstock.toml; the command line wins.",
    epilog=exit_codes(),
)
