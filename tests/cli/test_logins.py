"""The file that penstock login keeps tokens in."""

from pathlib import Path

import pytest

from penstock.cli.logins import forget_token, keep_token, kept_token


@pytest.mark.parametrize("name", ["\U0001f600", "bücher", "a\x7fb", 'a"b\\c', "𝔞é\x7f"])
def test_what_is_kept_is_found_again_whatever_letters_it_has(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    server, other = f"https://{name}.example", "https://files.example.com"

    keep_token(server, f"of {name}")
    keep_token(other, "plain")

    assert kept_token(server) == f"of {name}"
    assert kept_token(other) == "plain"
    assert forget_token(server)
    assert (kept_token(server), kept_token(other)) == (None, "plain")
