"""What lies in the tree, and what is installed with it.

If one of these failed, a key that opens something would be in every copy of the sources, or a
known hole in every installation.
"""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_MOST = 4 << 20

SECRETS = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}"),
    "a key of AWS": re.compile(r"\b(?:AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[0-9A-Z]{16}\b"),
    "a token of GitHub": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{60})"),
    "a token of GitLab": re.compile(r"\bglpat-[A-Za-z0-9_-]{20}\b"),
    "a token of Slack": re.compile(r"\bxox[abposr]-[A-Za-z0-9-]{20}"),
    "a token of PyPI": re.compile(r"\bpypi-AgEI[A-Za-z0-9_-]{40}"),
    "a token of npm": re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    "a key of Google": re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"),
    "a key of Stripe": re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20}"),
    "a JSON Web Token": re.compile(r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[\w-]{20,}"),
    "credentials in a URL": re.compile(
        r"https?://[a-z][\w.-]*:(?!\$)[A-Za-z0-9+/_-]{20,}@[a-z0-9-]+\.(?!example|test)[a-z]"
    ),
    "a token of ours": re.compile(
        r"\bpst_(?!a{12}|A{12}|k3v9x0q2m7ad_Yp1c0Zk3)[a-z0-9]{12}_(?!A{43})[A-Za-z0-9_-]{43}\b"
    ),
}


def tracked() -> list[Path]:
    """The files that the next commit would have."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout of the repository")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def findings(text: str) -> Iterator[str]:
    """What is in a text that should be in none."""
    return (kind for kind, pattern in SECRETS.items() if pattern.search(text))


def test_no_tracked_file_holds_a_secret() -> None:
    files = tracked()

    found = [
        f"{path.relative_to(ROOT)}: {kind}"
        for path in files
        if path.stat().st_size < _MOST
        for kind in findings(path.read_text(errors="replace"))
    ]

    assert len(files) > 500
    assert found == []


def test_no_tracked_file_is_one_that_holds_secrets_by_its_kind() -> None:
    kinds = {
        ".pem",
        ".key",
        ".p12",
        ".pfx",
        ".jks",
        ".kdbx",
        ".sqlite",
        ".env",
        ".netrc",
        ".pypirc",
    }

    found = [path for path in tracked() if kinds & {path.suffix, path.name}]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEowIBAAKCAQEA0Z3VS5JJcds3xfn",
        "aws = AKIA" + "ZZZZ7777QQQQ2222",
        "token: ghp_" + "a1B2" * 9,
        "pypi-AgEI" + "cHlwaS5vcmc" * 6,
        "https://deploy:" + "0123456789abcdefghij" + "@registry.company.com/x",
        "pst_" + "0123456789ab" + "_" + "aB3_" * 10 + "xyz",
    ],
)
def test_a_secret_would_be_found(text: str) -> None:
    assert list(findings(text)) != []


def test_nothing_that_is_installed_has_a_hole_that_is_known() -> None:
    if shutil.which("pip-audit", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("pip-audit is not installed: make .venv/.dev")
    if not _is_reachable("pypi.org"):
        pytest.skip("the list of known holes cannot be reached without a network")
    done = subprocess.run(
        ["make", "audit"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=110
    )
    if "ConnectionError" in done.stderr or "ServiceError" in done.stderr:
        pytest.skip("the list of known holes cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr


def _is_reachable(host: str) -> bool:
    try:
        socket.create_connection((host, 443), 3).close()
    except OSError:
        return False
    return True
