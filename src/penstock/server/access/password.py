"""The password of the operator: as it is set, or one that is made once and kept in a file."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from penstock.errors import BadRequest
from penstock.settings import Settings

_NAME = "dashboard-password"
_RANDOM_BYTES = 18


def told_login(settings: Settings) -> str:
    """For the operator: who may log in, and where the password is, never the password itself."""
    kept = f"in {_file(settings)}" if _is_kept(settings) else "as it is set"
    return f"user {settings.dashboard_user}, password {kept}"


def password_of(settings: Settings) -> str:
    """The password of the settings, else the one in ``DATA/dashboard-password``.

    Several processes that start on one folder agree on whose file is there first.

    :raises BadRequest: the file is empty.
    """
    if not _is_kept(settings):
        return settings.dashboard_password.get_secret_value()
    path = _file(settings)
    if not path.exists():
        _make(path)
    if not (password := path.read_text(encoding="utf-8").rstrip("\r\n")):
        raise BadRequest(f"{path} is empty: write a password into it, or delete it for a new one")
    return password


def _is_kept(settings: Settings) -> bool:
    return not settings.dashboard_password.get_secret_value()


def _file(settings: Settings) -> Path:
    return settings.data / _NAME


def _make(path: Path) -> None:
    """Make the file appear whole, unless another process was quicker; only its owner can read it.

    A link, unlike a rename, takes no other file's place.
    """
    ours = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(ours, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{secrets.token_urlsafe(_RANDOM_BYTES)}\n")
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(ours, path)
    finally:
        ours.unlink()
