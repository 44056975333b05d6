"""Configuration in the documents is what the programs that read it understand."""

import configparser
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from penstock.settings import Settings
from tests.docs.pages import NOT_CHECKED, Block, blocks, documents, name


def _nginx(text: str, folder: Path) -> None:
    server = text if re.search(r"^\s*server\s*\{", text, re.MULTILINE) else f"server {{\n{text}\n}}"
    here = f"error_log {folder}/error.log; pid {folder}/nginx.pid;"
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = folder / "nginx.conf"
    whole = f"{here} events {{}} http {{ access_log off; {temporary}\n{_without_port(server)}\n}}"
    path.write_text(whole)
    _check("nginx", "-t", "-c", str(path), "-p", str(folder))


def _without_port(server: str) -> str:
    """Nobody may listen on a port of the machine only to have a document read."""
    return re.sub(r"listen\s+[^;]+;", "listen unix:nginx.sock;", server)


def _caddy(text: str, folder: Path) -> None:
    path = folder / "Caddyfile"
    path.write_text(text)
    _check("caddy", "validate", "--adapter", "caddyfile", "--config", str(path), home=folder)


def _toml(text: str, folder: Path) -> None:
    known = set(Settings.model_fields)
    assert set(tomllib.loads(text)) <= known, "penstock.toml has settings that are none"


def _ini(text: str, folder: Path) -> None:
    if not re.search(r"^\[", text, re.MULTILINE):
        rows = [row for row in text.splitlines() if row and not row.startswith("#")]
        assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*=\S.*", row) for row in rows)
        return
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    if parser.has_section("Service"):
        # What is shown is a part of a unit, which has its command elsewhere.
        unit = folder / "shown.service"
        unit.write_text(f"{text}\n[Service]\nExecStart=/bin/true\n")
        _check("systemd-analyze", "verify", "--man=no", str(unit), home=folder)


def _yaml(text: str, folder: Path) -> None:
    assert yaml.safe_load(text) is not None


def _json(text: str, folder: Path) -> None:
    json.loads(text)


_CHECKS: Mapping[str, Callable[[str, Path], None]] = {
    "nginx": _nginx,
    "caddy": _caddy,
    "toml": _toml,
    "ini": _ini,
    "yaml": _yaml,
    "json": _json,
}
_FOUND = [
    pytest.param(block, id=f"{name(page)}:{block.line}")
    for page in documents()
    for block in blocks(page)
    if block.language in _CHECKS
]


@pytest.mark.parametrize("block", _FOUND)
def test_a_configuration_is_understood(block: Block, tmp_path: Path) -> None:
    if block.marker == NOT_CHECKED:
        assert len(block.said) >= 8, "why not?"
        pytest.skip(block.said)

    _CHECKS[block.language](block.text, tmp_path)


def test_a_wrong_configuration_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="settings that are none"):
        _toml("no_such_setting = 1", tmp_path)


def _check(program: str, *arguments: str, home: Path | None = None) -> None:
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    environment = os.environ | ({"HOME": str(home)} if home else {})
    ran = subprocess.run(
        [found, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
