"""What a remote file is, as servers of all manners tell it."""

from dataclasses import replace

import pytest

from penstock.errors import SourceFailed
from penstock.remote import Remote
from tests.faults import (
    Fault,
    Source,
    chunked,
    cut,
    ignore_range,
    reset,
    status,
    with_headers,
)

V1 = '"v1"'


async def test_one_head_tells_everything(remote: Remote, source: Source) -> None:
    url = source.serve(
        "/a",
        b"x" * 1234,
        etag=V1,
        last_modified=1_700_000_000,
        headers={
            "Content-Type": "video/x-matroska",
            "Content-Disposition": 'attachment; filename="holiday.mkv"',
        },
    )

    file = await remote.probe(url, {"X-Key": "secret"})

    assert (file.url, file.headers) == (url, {"X-Key": "secret"})
    assert (file.size, file.etag, file.modified, file.ranges) == (1234, V1, 1_700_000_000, True)
    assert (file.content_type, file.file_name) == ("video/x-matroska", "holiday.mkv")
    assert [seen.method for seen in source.requests] == ["HEAD"]


REFUSALS = [*map(status, (400, 403, 404, 405, 500, 501, 503)), reset(0)]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda fault: str(fault.answer))
async def test_where_head_is_refused_the_first_byte_tells(
    remote: Remote, source: Source, refusal: Fault
) -> None:
    url = source.serve("/a", b"x" * 1234, etag=V1, head_faults=[refusal] * 2)

    file = await remote.probe(url)

    assert (file.size, file.etag, file.ranges) == (1234, V1, True)
    assert source.ranges == ["bytes=0-0"]


@pytest.mark.parametrize("lacking", [chunked(), with_headers(Content_Length="0"), ignore_range()])
async def test_where_head_does_not_tell_all_the_first_byte_does(
    remote: Remote, source: Source, lacking: Fault
) -> None:
    url = source.serve("/a", b"x" * 1234, etag=V1, head_faults=[lacking])

    file = await remote.probe(url)

    assert (file.size, file.ranges) == (1234, True)


async def test_a_server_without_ranges_is_left_before_its_body_comes(
    remote: Remote, source: Source
) -> None:
    film = bytes(64 << 20)
    file = await remote.probe(source.serve("/a", film, always=ignore_range()))

    assert (file.size, file.ranges) == (len(film), False)
    await source.all_closed()
    assert source.sent < len(film)


async def test_no_size_is_told_where_there_is_none(remote: Remote, source: Source) -> None:
    file = await remote.probe(
        source.serve("/a", b"x" * 10, always=Fault(framing="chunked", ranges=False))
    )

    assert (file.size, file.ranges, file.version) == (None, False, None)


@pytest.mark.parametrize("manner", [None, ignore_range()])
async def test_an_empty_file_is_one(remote: Remote, source: Source, manner: Fault | None) -> None:
    file = await remote.probe(source.serve("/a", b"", etag=V1, always=manner))

    assert file.size == 0


async def test_passing_trouble_is_tried_again(remote: Remote, source: Source) -> None:
    faults = [status(503, Retry_After="1")]
    url = source.serve("/a", b"abc", head_faults=[cut(0), cut(0)], faults=faults)

    assert (await remote.probe(url)).size == 3


async def test_lasting_trouble_ends_soon(remote: Remote, source: Source) -> None:
    url = source.serve("/a", b"abc", always=status(503))

    with pytest.raises(SourceFailed) as failed:
        await remote.probe(url)
    assert failed.value.extra["reason"] == "HTTP 503"
    assert len(source.requests) == 3


@pytest.mark.parametrize("code", [404, 410, 401, 300, 304, 204])
async def test_what_is_not_there_is_told_with_the_reason(
    remote: Remote, source: Source, code: int
) -> None:
    url = source.serve("/a", b"abc", always=status(code))

    with pytest.raises(SourceFailed, match=f"/a cannot be read: HTTP {code}") as failed:
        await remote.probe(url + "?token=secret")
    assert failed.value.extra["reason"] == f"HTTP {code}"
    assert "secret" not in failed.value.detail


async def test_a_server_that_is_not_there_is_told(remote: Remote) -> None:
    with pytest.raises(SourceFailed, match="cannot be reached"):
        await remote.probe("http://127.0.0.1:1/")


async def test_a_host_that_is_not_known_is_told(remote: Remote) -> None:
    with pytest.raises(SourceFailed, match="cannot be read: its host"):
        await remote.probe("http://nobody.invalid/")


async def test_an_answer_that_comes_encoded_is_refused(remote: Remote, source: Source) -> None:
    url = source.serve("/a", b"abc", always=with_headers(Content_Encoding="gzip"))

    with pytest.raises(SourceFailed, match="encoded"):
        await remote.probe(url)


async def test_what_is_not_http_is_told(remote: Remote, source: Source) -> None:
    url = source.serve("/a", b"abc", always=with_headers(X="a\r\nb c\x00"))

    with pytest.raises(SourceFailed):
        await remote.probe(url)


@pytest.mark.parametrize("path", ["/a%2Fb?sig=a%2Fb%3D%3D&x=%20+y", "/caf%C3%A9", "/a?x=[1]"])
async def test_the_url_is_asked_for_as_it_was_given(
    remote: Remote, source: Source, path: str
) -> None:
    source.serve(path.partition("?")[0], b"abc", etag=V1)

    await remote.probe(source.url + path)

    assert source.requests[0].path == path


async def test_what_must_be_quoted_is(remote: Remote, source: Source) -> None:
    source.serve("/caf%C3%A9%20au%20lait", b"abc", etag=V1)

    assert (await remote.probe(source.url + "/café au lait#top")).size == 3


def test_a_version_is_a_tag_or_else_a_time_with_the_size(remote: Remote) -> None:
    file = remote.taken_as("http://example.org/", {}, 7)

    assert file.version is None
    tagged, timed = replace(file, etag=V1), replace(file, modified=5)
    assert len({tagged.version, timed.version, replace(timed, size=8).version, None}) == 4
