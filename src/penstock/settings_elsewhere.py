"""Settings by the names that StreamVault has for them, for who comes from there.

Names such as ``PORT`` are in many environments. So they count only together, and only where the
bucket is named as StreamVault does it and no store in Penstock's own way; and what is set in
Penstock's own way always wins. docs/how-to/migrate/streamvault.md lists them for users.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from penstock.errors import BadRequest

_BUCKET = ("AWS_S3_BUCKET", "AWS_BUCKET_NAME")
_KEYS = {"s3_access_key": "AWS_S3_ACCESS_KEY_ID", "s3_secret_key": "AWS_S3_SECRET_ACCESS_KEY"}


def _folder(text: str) -> str:
    return f"{text.strip('/')}/".removeprefix("/")


def _bytes(text: str, unit: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        raise ValueError(f"must be a number, of {unit}")
    return text + unit


def _link(text: str) -> str:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return "presigned" if text == "true" else "direct"


class _Known(NamedTuple):
    """The setting that a variable is, and its value in our terms."""

    variables: tuple[str, ...]
    setting: str
    value: Callable[[str], object] = str


# Of several variables the one that StreamVault's program reads comes first, then its README's.
_KNOWN = (
    _Known(_BUCKET, "store", "s3://{}".format),
    _Known(("AWS_S3_REGION",), "s3_region"),
    *(_Known((variable,), setting) for setting, variable in _KEYS.items()),
    _Known(("AWS_S3_EXPORT_DESTINATION_PATH",), "archive_prefix", _folder),
    _Known(("AWS_S3_GENERATE_PRESIGNED_URL",), "archive_link", _link),
    _Known(("AWS_S3_PRESIGNED_URL_EXPIRATION",), "archive_link_expiry"),
    _Known(("DOWNLOAD_THRESHOLD_IN_GB",), "archive_threshold", partial(_bytes, unit="GiB")),
    _Known(("WORKER_CONCURRENCY",), "archives"),
    _Known(("LARGE_WORKER_CONCURRENCY",), "archives_large"),
    _Known(("MAX_HEAP_USAGE_MB", "MAX_MEMORY"), "s3_memory", partial(_bytes, unit="MiB")),
    _Known(("PORT",), "port"),
    _Known(("DASHBOARD_USER",), "dashboard_user"),
    _Known(("DASHBOARD_PASSWORD",), "dashboard_password"),
)


class StreamVaultSource(PydanticBaseSettingsSource):
    """The lowest of the sources: it only fills in what the others, asked before, do not set.

    ``variables`` is which of them each setting was taken from, once it was asked.

    :raises BadRequest: a variable that would count has a value that cannot be; the text names it.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.variables: dict[str, str] = {}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Unused: a variable has another name than its field."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        ours = set(self.current_state)
        variables = {name: value.strip() for name, value in os.environ.items() if value.strip()}
        if "store" in ours or not any(name in variables for name in _BUCKET):
            return {}
        if not ours.isdisjoint(_KEYS):
            ours |= _KEYS.keys()  # a pair of keys is not mixed of two sources
        elif sum(name in variables for name in _KEYS.values()) == 1:
            raise BadRequest(f"{' and '.join(_KEYS.values())} go together; give both or neither")
        return dict(self._found(variables, ours))

    def _found(self, variables: Mapping[str, str], ours: set[str]) -> Iterator[tuple[str, object]]:
        for known in _KNOWN:
            name = next(filter(variables.__contains__, known.variables), None)
            if name is None or known.setting in ours:
                continue
            self.variables[known.setting] = name
            try:
                yield known.setting, self._checked(known.setting, known.value(variables[name]))
            except ValueError as error:
                reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
                raise BadRequest(f"{name}: {reason}") from None

    def _checked(self, setting: str, value: object) -> object:
        """As it is; that it can be is held against the field here, where its own name is known."""
        model = self.settings_cls
        model.__pydantic_validator__.validate_assignment(model.model_construct(), setting, value)
        return value
