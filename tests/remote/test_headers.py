"""What callers may say, what may be shown of it, and what servers' headers mean."""

import logging
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadRequest, SourceFailed
from penstock.remote import Remote, RemoteFile, redacted
from penstock.remote.fields import file_name, http_seconds, retry_after, strong_etag
from tests.faults import Source, cut, status
from tests.remote.gathering import everything

V1 = '"v1"'


OURS = (
    *("Host", "Range", "If-Match", "If-Range", "If-None-Match", "If-Modified-Since", "TE"),
    *("Content-Length", "Connection", "Transfer-Encoding", "Accept-Encoding", "Upgrade", "Expect"),
    *("Proxy-Authorization", "range", "HOST"),
)


@pytest.mark.parametrize("name", OURS)
async def test_headers_that_are_ours_cannot_be_chosen(remote: Remote, name: str) -> None:
    with pytest.raises(BadRequest, match=name):
        await remote.probe("http://example.org/", {name: "x"})


@pytest.mark.parametrize(
    "headers", [{"A\r\nB": "c"}, {"": "c"}, {"A b": "c"}, {"A": "b\r\nHost: c"}, {"A": "\x00"}]
)
async def test_what_is_no_header_is_refused(remote: Remote, headers: Mapping[str, str]) -> None:
    with pytest.raises(BadRequest):
        await remote.probe("http://example.org/", headers)


async def test_the_callers_headers_go_with_every_request(
    remote: Remote, source: Source, film: bytes
) -> None:
    url = source.serve("/film", film, etag=V1, faults=[cut(300_000)])

    await everything(remote, await remote.probe(url, {"X-Key": "k", "User-Agent": "mine"}))

    assert [seen.headers["x-key"] for seen in source.requests] == ["k"] * 3
    assert {seen.headers["user-agent"] for seen in source.requests} == {"mine"}


async def test_credentials_in_the_url_become_a_header(
    remote: Remote, source: Source, film: bytes
) -> None:
    source.serve("/film", film, etag=V1)
    url = source.url.replace("//", "//me%40home:p%3Aw@") + "/film"

    file = await remote.probe(url)
    await everything(remote, file)

    assert {seen.headers["authorization"] for seen in source.requests} == {"Basic bWVAaG9tZTpwOnc="}
    assert {seen.path for seen in source.requests} == {"/film"}


async def test_credentials_are_told_in_one_place(remote: Remote) -> None:
    with pytest.raises(BadRequest, match="not in both"):
        await remote.probe("http://me:pw@example.org/", {"authorization": "Bearer x"})


async def test_secrets_are_neither_logged_nor_shown(
    remote: Remote, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    source.serve("/film", b"", always=status(503))
    url = source.url.replace("//", "//me:hunter2@") + "/film?token=hunter2#hunter2"

    with pytest.raises(SourceFailed) as failed:
        await remote.probe(url, {"X-Key": "hunter2"})

    assert "trying again" in caplog.text
    told = caplog.text + failed.value.detail + str(failed.value.extra)
    assert "hunter2" not in told
    assert "hunter2" not in repr(RemoteFile(url, {"X-Key": "hunter2"}))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:pw@example.org:8443/a/b?sig=x#y", "https://example.org:8443/a/b"),
        ("http://example.org/", "http://example.org/"),
        ("http://example.org/caf%C3%A9%2F", "http://example.org/caf%C3%A9%2F"),
        ("http://[::1]:8080/a", "http://[::1]:8080/a"),
        ("nonsense", "the URL"),
        ("http://[", "the URL"),
        ("", "the URL"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert redacted(url) == shown


@given(st.text(max_size=80) | st.text(max_size=40).map("http://{}".format))
def test_anything_can_be_shown(url: str) -> None:
    shown = redacted(url)

    assert "?" not in shown
    assert "#" not in shown
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a b.txt"', "a b.txt"),
        ("attachment; filename=a.txt", "a.txt"),
        ("inline;FileName = a.txt ; size=3", "a.txt"),
        (r'attachment; filename="say \"hi\".txt"', 'say "hi".txt'),
        ("attachment; filename=\"x.txt\"; filename*=UTF-8''%e2%82%ac.txt", "€.txt"),
        ("attachment; filename*=iso-8859-1'en'%A3.txt", "£.txt"),
        ("attachment; filename*=utf-16''x; filename=y", "y"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        (r'attachment; filename="C:\\dir\\a.txt"', "a.txt"),
        ("attachment; filename*=UTF-8''a%2Fb%0A.txt", "b.txt"),
        ('attachment; filename="caf\udce9.txt"', "café.txt"),
        ('attachment; filename=".."', None),
        ("attachment", None),
        ("", None),
        (None, None),
    ],
)
def test_the_name_of_a_download_is_its_last_segment(header: str | None, name: str | None) -> None:
    assert file_name(header) == name


@given(st.text(max_size=60).map('attachment; filename="{}"'.format) | st.text(max_size=60))
def test_a_name_is_never_a_path(header: str) -> None:
    name = file_name(header)

    assert name is None or (name not in ("", ".", "..") and not set(name) & set("/\\\0\n"))


def test_only_a_strong_tag_is_one() -> None:
    tags = [V1, 'W/"v1"', "v1", '"', '""', '"a"b"', None]

    assert [strong_etag(tag) for tag in tags] == [V1, None, None, None, '""', None, None]


@given(st.text(max_size=40) | st.integers().map(str))
def test_any_date_or_pause_is_read_or_ignored(header: str) -> None:
    seconds, pause = http_seconds(header), retry_after(header)

    assert seconds is None or isinstance(seconds, int)
    assert pause is None or pause >= 0


def test_a_pause_is_seconds_or_a_date() -> None:
    assert retry_after("120") == 120
    assert retry_after("Tue, 14 Nov 2023 22:13:20 GMT") == 0
    assert retry_after("soon") is None
