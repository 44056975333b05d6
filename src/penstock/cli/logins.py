"""The tokens that penstock login keeps: one for each server, in a file that only its user reads."""

import fcntl
import json
import os
import stat
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from penstock.errors import Forbidden, PenstockError

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def logins_file() -> str:
    """Where they are kept (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(home, "penstock", "tokens.toml")


def kept_token(server: str) -> str | None:
    """The token for the server, if there is one; an address that names a user needs none.

    :raises Forbidden: others can read the file.
    :raises PenstockError: the file is none of ours.
    """
    parts = urlsplit(server)
    return None if parts.username is not None else _kept(logins_file()).get(_origin(server))


def keep_token(server: str, token: str) -> str:
    """Keep it in place of an earlier one; answers where."""
    return _change(server, token)


def forget_token(server: str) -> bool:
    """Keep none for the server any more; answers whether there was one."""
    if kept_token(server) is None:
        return False
    _change(server, None)
    return True


def _change(server: str, token: str | None) -> str:
    file = logins_file()
    with _locked(os.path.dirname(file)):
        kept = {**_kept(file)}
        kept.pop(_origin(server), None)
        if token is not None:
            kept[_origin(server)] = token
        _write(file, kept)
    return file


def _kept(file: str) -> Mapping[str, str]:
    """Tokens by origin."""
    try:
        with open(file, "rb") as opened:
            if os.fstat(opened.fileno()).st_mode & _OTHERS:
                raise Forbidden(f"others can read the tokens in {file}; run chmod 600 on it")
            told = tomllib.load(opened)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PenstockError(f"{file} cannot be read as TOML; remove it and log in again") from error
    tables = {name: table.get("token") for name, table in told.items() if isinstance(table, dict)}
    return {name: token for name, token in tables.items() if isinstance(token, str)}


def _write(file: str, kept: Mapping[str, str]) -> None:
    """Put the file in its place at once; nobody else can read it at any time."""
    lines = [f"[{_quoted(origin)}]\ntoken = {_quoted(token)}\n" for origin, token in kept.items()]
    descriptor, beside = tempfile.mkstemp(dir=os.path.dirname(file), prefix=".tokens-")
    try:
        with open(descriptor, "w", encoding="utf-8") as opened:
            opened.write("\n".join(lines))
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(beside, file)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside)
        raise


def _quoted(text: str) -> str:
    """A basic string of TOML: one of JSON, but no character is two escapes, and DEL must be one."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    """One change after the other."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _origin(server: str) -> str:
    """Scheme, host and port: what a token is shown to."""
    parts = urlsplit(server)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
