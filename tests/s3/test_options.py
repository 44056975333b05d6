"""Where a store is, from its URL, the settings, and the AWS variables and files."""

import sys
from pathlib import Path

import pytest

from penstock.errors import BadRequest, MissingExtra, PenstockError
from penstock.stores.s3.credentials import Chain
from penstock.stores.s3.options import Place, S3Options, place_of
from penstock.stores.s3.signing import Credentials

pytest.importorskip("botocore.session")  # which reads the disk: not within a loop

VARIABLES = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No AWS configuration but the test's own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def test_amazons_own_endpoint_names_the_bucket_in_the_host() -> None:
    place = place_of("s3://films", S3Options(region="eu-west-1"), {})

    assert place == Place("films", "", "eu-west-1", "https://films.s3.eu-west-1.amazonaws.com", "/")
    assert place.path_of("a b/ü+%") == "/a%20b/%C3%BC%2B%25"


@pytest.mark.parametrize(
    ("bucket", "options", "url"),
    [
        ("films", S3Options(style="path"), "https://s3.us-east-1.amazonaws.com/films/x"),
        ("my.films", S3Options(), "https://s3.us-east-1.amazonaws.com/my.films/x"),
        ("films", S3Options(endpoint="http://h:9000/s3/"), "http://h:9000/s3/films/x"),
        ("films", S3Options(endpoint="https://H:443", style="virtual"), "https://films.h/x"),
    ],
)
def test_other_endpoints_and_styles(bucket: str, options: S3Options, url: str) -> None:
    place = place_of(f"s3://{bucket}", options, {})

    assert place.origin + place.path_of("x") == url


def test_a_prefix_is_a_folder_and_taken_as_it_is_written() -> None:
    assert place_of("s3://films/a%20b?#/c", S3Options(), {}).prefix == "a%20b?#/c/"


def test_settings_come_before_variables_and_those_before_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile = {"region": "of-file", "endpoint_url": "http://file"}
    assert place_of("s3://films", S3Options(), profile).origin == "http://file"

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://variable")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "of-variable")
    place = place_of("s3://films", S3Options(), profile)
    assert (place.origin, place.region) == ("http://variable", "of-variable")

    chosen = S3Options(endpoint="http://setting", region="of-setting")
    place = place_of("s3://films", chosen, profile)
    assert (place.origin, place.region) == ("http://setting", "of-setting")


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://", S3Options()),
        ("s3:///films", S3Options()),
        ("s3://fi lms", S3Options()),
        ("s3://films/a//b", S3Options()),
        ("s3://films", S3Options(endpoint="ftp://host")),
        ("s3://films", S3Options(endpoint="host:9000")),
        ("s3://films", S3Options(part_size=1 << 20)),
        ("s3://films", S3Options(memory=1 << 20)),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(url: str, options: S3Options) -> None:
    with pytest.raises(BadRequest):
        place_of(url, options, {})


@pytest.mark.parametrize("endpoint", ["http://[::1", "http://host:abc", "https://host:99999"])
def test_an_endpoint_that_cannot_be_is_refused_at_the_start(endpoint: str) -> None:
    with pytest.raises(BadRequest, match="S3 endpoint"):
        place_of("s3://films", S3Options(endpoint=endpoint), {})


def test_secrets_are_not_shown() -> None:
    options = S3Options(access_key="key", secret_key="hunter2")

    assert "hunter2" not in repr(options)
    assert "hunter2" not in repr(options.credentials)
    with pytest.raises(BadRequest) as raised:
        place_of("s3://films", S3Options(endpoint="http://key:hunter2@host/?x"), {})
    assert "hunter2" not in str(raised.value)


def test_one_key_alone_is_refused() -> None:
    with pytest.raises(BadRequest, match="together"):
        _ = S3Options(access_key="key").credentials


async def test_credentials_come_from_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")

    assert await Chain().get() == Credentials("key", "secret", "token")


async def test_credentials_come_from_a_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = "[work]\naws_access_key_id = key\naws_secret_access_key = secret\nregion = eu-north-1\n"
    (tmp_path / "credentials").write_text(text)
    monkeypatch.setenv("AWS_PROFILE", "work")
    chain = Chain()

    assert await chain.get() == Credentials("key", "secret", None)
    assert chain.profile["region"] == "eu-north-1"


async def test_no_credentials_is_said_with_what_to_do() -> None:
    with pytest.raises(PenstockError, match="AWS_ACCESS_KEY_ID"):
        await Chain().get()


def test_an_absent_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)

    with pytest.raises(MissingExtra, match=r"penstock\[s3\]"):
        Chain()


async def test_anonymous_needs_none() -> None:
    assert await Chain(anonymous=True).get() is None
    assert await Chain(Credentials("key", "secret"), anonymous=True).get() is None


def test_a_configuration_file_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default\nregion = x\n")

    with pytest.raises(PenstockError, match="AWS configuration"):
        _ = Chain().profile
