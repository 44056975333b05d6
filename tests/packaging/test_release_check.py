"""``make release-check``: each check holds here, and fails where it must."""

from pathlib import Path

import pytest

import penstock
from tools import release_check


@pytest.mark.parametrize(
    "check", [one for one in release_check.ALWAYS if one is not release_check.wheel_is_sound]
)
def test_what_must_hold_between_releases_holds(check: "release_check.Check") -> None:
    assert check() == ""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another one, which is all wrong."""
    monkeypatch.setattr(release_check, "ROOT", tmp_path)
    package = tmp_path / "src" / "penstock" / "server"
    (package / "static" / "theirs").mkdir(parents=True)
    (package / "openapi.yaml").write_text("info:\n  version: 9.9.9\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n")
    (tmp_path / "constraints.txt").write_text("aiohttp>=3\n")
    (tmp_path / "pyproject.toml").write_text(
        '[project]\ndependencies = ["click>=8", "aiohttp"]\n[project.optional-dependencies]\n'
    )
    return tmp_path


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (release_check.versions_agree, "9.9.9 is not"),
        (release_check.changelog_is_closed, "it is 'Unreleased'"),
        (release_check.constraints_are_exact, "aiohttp>=3, click"),
        (release_check.licenses_are_shipped, "theirs"),
        (release_check.tree_is_clean, "not a git repository"),
    ],
)
def test_each_check_sees_what_is_wrong(
    checkout: Path, check: "release_check.Check", told: str
) -> None:
    assert told in check()


def test_a_closed_changelog_is_one_with_version_and_day(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text(
        f"# Changelog\n\n## {penstock.__version__} - 2026-11-22\n"
    )

    assert release_check.changelog_is_closed() == ""
