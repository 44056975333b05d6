"""The server understands the variables of StreamVault, where they are meant."""

import os
import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from penstock.errors import BadRequest
from penstock.settings import Settings
from tests.cli.running import COMMAND

DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "migrate" / "streamvault.md"
GIB, MIB = 1 << 30, 1 << 20

VALUES = [
    ("AWS_BUCKET_NAME", "photos", "store", "s3://photos"),
    ("AWS_S3_BUCKET", "photos", "store", "s3://photos"),
    ("AWS_S3_REGION", "eu-central-1", "s3_region", "eu-central-1"),
    ("AWS_S3_EXPORT_DESTINATION_PATH", "zips", "archive_prefix", "zips/"),
    ("AWS_S3_EXPORT_DESTINATION_PATH", "/zips/of/all/", "archive_prefix", "zips/of/all/"),
    ("AWS_S3_EXPORT_DESTINATION_PATH", "/", "archive_prefix", ""),
    ("AWS_S3_GENERATE_PRESIGNED_URL", "true", "archive_link", "presigned"),
    ("AWS_S3_GENERATE_PRESIGNED_URL", "false", "archive_link", "direct"),
    ("AWS_S3_PRESIGNED_URL_EXPIRATION", "7200", "archive_link_expiry", 7200.0),
    ("DOWNLOAD_THRESHOLD_IN_GB", "10", "archive_threshold", 10 * GIB),
    ("DOWNLOAD_THRESHOLD_IN_GB", "0.5", "archive_threshold", GIB // 2),
    ("WORKER_CONCURRENCY", "7", "archives", 7),
    ("LARGE_WORKER_CONCURRENCY", "3", "archives_large", 3),
    ("MAX_HEAP_USAGE_MB", "512", "s3_memory", 512 * MIB),
    ("MAX_MEMORY", "300", "s3_memory", 300 * MIB),
    ("PORT", "3000", "port", 3000),
    ("DASHBOARD_USER", "ada", "dashboard_user", "ada"),
]
NAMES = {
    *(variable for variable, *_ in VALUES),
    "AWS_S3_ACCESS_KEY_ID",
    "AWS_S3_SECRET_ACCESS_KEY",
    "DASHBOARD_PASSWORD",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """None of the variables but the bucket's, in an empty working directory."""
    for name in [name for name in os.environ if name in NAMES or "PENSTOCK" in name]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_BUCKET_NAME", "photos")
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.mark.parametrize(("variable", "value", "setting", "meaning"), VALUES)
def test_a_variable_is_a_setting(
    environment: pytest.MonkeyPatch, variable: str, value: str, setting: str, meaning: object
) -> None:
    environment.setenv(variable, value)

    assert getattr(Settings(), setting) == meaning


def test_both_keys_are_settings(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_S3_ACCESS_KEY_ID", "name")
    environment.setenv("AWS_S3_SECRET_ACCESS_KEY", "secret")
    environment.setenv("DASHBOARD_PASSWORD", "password")

    settings = Settings()

    assert settings.s3_access_key == "name"
    assert settings.s3_secret_key.get_secret_value() == "secret"
    assert settings.dashboard_password.get_secret_value() == "password"


def test_one_key_alone_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_S3_ACCESS_KEY_ID", "name")

    with pytest.raises(BadRequest, match="AWS_S3_SECRET_ACCESS_KEY"):
        Settings()


def test_keys_are_not_mixed_with_our_own(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_S3_ACCESS_KEY_ID", "name")
    environment.setenv("AWS_S3_SECRET_ACCESS_KEY", "secret")

    settings = Settings(s3_access_key="ours")

    assert settings.s3_access_key == "ours"
    assert settings.s3_secret_key.get_secret_value() == ""


def test_the_name_that_the_program_reads_wins_over_that_of_its_readme(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("AWS_S3_BUCKET", "films")

    assert Settings().store == "s3://films"


def test_without_a_bucket_they_mean_nothing(environment: pytest.MonkeyPatch) -> None:
    for variable, value, *_ in VALUES:
        environment.setenv(variable, value)
    environment.delenv("AWS_BUCKET_NAME")
    environment.setenv("AWS_S3_BUCKET", " ")

    assert Settings() == Settings.model_construct()


def test_beside_a_store_of_our_own_naming_they_mean_nothing(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("PORT", "not a port")
    environment.setenv("PENSTOCK_STORE", "memory://")

    assert Settings() == Settings.model_construct(store="memory://")


def test_our_own_settings_win(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PORT", "not a port")
    environment.setenv("WORKER_CONCURRENCY", "9")
    environment.setenv("LARGE_WORKER_CONCURRENCY", "9")
    environment.setenv("PENSTOCK_ARCHIVES", "5")
    Path("penstock.toml").write_text("archives_large = 6\n")

    settings = Settings(port=1234)

    assert (settings.port, settings.archives, settings.archives_large) == (1234, 5, 6)


def test_an_empty_variable_is_none(environment: pytest.MonkeyPatch) -> None:
    for name in NAMES - {"AWS_BUCKET_NAME"}:
        environment.setenv(name, "")

    assert Settings() == Settings.model_construct(store="s3://photos")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "99999"),
        ("PORT", "http"),
        ("WORKER_CONCURRENCY", "-1"),
        ("DOWNLOAD_THRESHOLD_IN_GB", "5GB"),
        ("AWS_S3_GENERATE_PRESIGNED_URL", "maybe"),
        ("AWS_S3_PRESIGNED_URL_EXPIRATION", "604801"),
    ],
)
def test_a_wrong_value_is_told_with_its_variable(
    environment: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    environment.setenv(variable, value)

    with pytest.raises(BadRequest, match=f"^{variable}: "):
        Settings()


def test_the_command_tells_a_wrong_value_in_one_line(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PORT", "http")

    ran = subprocess.run([*COMMAND, "serve"], capture_output=True, text=True, timeout=60)

    assert ran.returncode == 2
    assert ran.stderr.startswith("penstock: error: PORT: ")
    assert ran.stderr.count("\n") == 1


def test_the_server_listens_where_streamvault_would(environment: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment.setenv("PORT", str(port))
    environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    environment.setenv("AWS_S3_ACCESS_KEY_ID", "name")
    environment.setenv("AWS_S3_SECRET_ACCESS_KEY", "secret")

    with subprocess.Popen([*COMMAND, "serve"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            with urllib.request.urlopen(f"{url}/livez", timeout=30) as answer:
                assert answer.status == 200
        finally:
            process.send_signal(signal.SIGKILL)

    assert url == f"http://127.0.0.1:{port}"
    assert os.listdir("penstock-data") != []


def test_every_variable_is_in_the_documentation() -> None:
    told = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", DOCUMENT.read_text()))

    assert told >= NAMES
