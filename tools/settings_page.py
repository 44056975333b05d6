"""docs/reference/settings.md: the fields of the settings, in groups."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal, get_args, get_origin

from pydantic import ByteSize, SecretStr
from pydantic.fields import FieldInfo

from penstock.settings import Settings

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "Serving": (
        *("data", "store", "catalog", "host", "port", "workers", "public_url", "max_transfers"),
        *("idle_timeout", "stall_timeout", "follow_timeout", "shutdown_timeout", "io_threads"),
    ),
    "Access": (
        *("access", "session_expiry", "share_expiry", "secret", "cors_origins", "audit_keep"),
        *("dashboard_user", "dashboard_password"),
    ),
    "Files": ("max_ranges", "max_form_files", "compress", "precompressed", "sha256"),
    "Uploads": (
        *("max_body", "max_uploads", "max_upload_bytes", "upload_expiry", "resume_from"),
        *("hooks_url", "hooks_secret"),
    ),
    "ZIPs": ("max_zip_entries", "max_zip_urls", "zip_expiry", "zip_read_first"),
    "Remote files": ("remote_*",),
    "Jobs": ("worker", "pulls", "archives", "archives_large", "archive_*"),
    "S3": ("s3_*",),
    "Cluster": ("cluster_*",),
    "Observing": ("log_*", "traces", "traces_ratio"),
}
"""Which settings belong together; a star stands for any ending."""

_SECONDS: Final = ("timeout", "expiry", "after", "every", "grace", "keep", "valid", "age")

_HEAD: Final = """\
# Settings

Look up every setting of `penstock serve`, and of the commands that work on the same data: `penstock
worker`, `penstock doctor`, `penstock tokens --local`. Each has three names: a key in
`penstock.toml` in the working directory, a flag of the command, and a variable of the environment.
Where it is given more than once the flag counts, then the variable, then the file, then
[StreamVault's variables](../how-to/migrate/streamvault.md), then the default. Sizes are bytes and
may have a unit (`64MiB`), times are seconds. `penstock config show --origins` tells what is in
force, and why.

This page is made of `src/penstock/settings.py` by `make reference`.
"""

_TABLE: Final = "| Setting | Default | Unit | Meaning |\n| --- | --- | --- | --- |\n"


def settings_page() -> str:
    """The whole page.

    :raises ValueError: a setting is in no group, or in more than one.
    """
    grouped = {group: _members(patterns) for group, patterns in GROUPS.items()}
    every = [name for names in grouped.values() for name in names]
    if sorted(every) != sorted(Settings.model_fields):
        odd = sorted({*every} ^ {*Settings.model_fields}) or sorted(every)
        raise ValueError(f"tools/settings_page.py must have each setting in one group: {odd}")
    sections = [
        f"\n## {group}\n\n{_TABLE}" + "".join(_row(name) for name in names)
        for group, names in grouped.items()
    ]
    return _HEAD + "".join(sections)


def _members(patterns: Iterable[str]) -> list[str]:
    return [
        name
        for pattern in patterns
        for name in Settings.model_fields
        if name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1]))
    ]


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    flag = "--" + name.replace("_", "-")
    if field.annotation is bool:
        flag = f"{flag}`, `--no-{flag[2:]}"
    names = f"`{name}`<br>`{flag}`<br>`PENSTOCK_{name.upper()}`"
    text = (field.description or "").replace("|", "\\|")
    return (
        f"| {names} | {_default(field)} | {_unit(name, field)} | {text[:1].upper()}{text[1:]} |\n"
    )


def _default(field: FieldInfo) -> str:
    value = field.get_default()
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, ByteSize):
        value = value.human_readable() if value else 0
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, float):
        value = f"{value:,.4f}".rstrip("0").rstrip(".").replace(",", "")
    return "" if value == "" else f"`{value}`"


def _unit(name: str, field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if kind is ByteSize or "ByteSize" in str(kind):
        return "bytes per second" if name.endswith("_rate") else "bytes"
    if kind is float and name.rpartition("_")[2] in _SECONDS:
        return "seconds"
    if kind is float:
        return "dollars" if "_price_" in name else "share"
    simple = {bool: "`true`, `false`", int: "number", Path: "folder", SecretStr: "secret"}
    return simple.get(kind, "text") if isinstance(kind, type) else "text"
