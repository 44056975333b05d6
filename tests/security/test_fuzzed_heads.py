"""Requests with anything in their heads: an answer below 500, in bounded time, and no traceback.

If one of these failed, one request would end the service for everybody, or fill its log.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.security.speaking import LAST, Line, head, statuses

_FUZZ = settings(
    max_examples=50,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "get"]
PATHS = [
    "/", "/v1/files", "/v1/files/a", "/v1/files/nothing", "/v1/uploads", "/v1/uploads/a",
    "/v1/zip?key=a", "/v1/zips", "/v1/zips/a", "/v1/pulls", "/v1/jobs/events", "/v1/archives",
    "/v1/shares", "/v1/tokens", "/v1/audit", "/v1/session", "/v1/server", "/v1/nodes", "/live",
    "/files/a", "/download/a", "/upload", "/stream-upload", "/file-upload", "/api/upload",
    "/api/download", "/create-job", "/job/a", "/s/a", "/s/a/file", "/login", "/logout",
    "/dashboard", "/static/app.css", "/metrics", "/debug/memory", "/openapi.yaml", "/s3/params",
]  # fmt: skip

ANYTHING = st.binary(max_size=60)
NUMBER = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["0", "-0", "+1", "1e3", "0x1", "٣", "1_0", " 1", "NaN", "9" * 5000]),
)
_RANGE = st.builds("{}-{}".format, NUMBER | st.just(""), NUMBER | st.just(""))
RANGE = st.builds(
    "{}={}".format,
    st.sampled_from(["bytes", "BYTES", "items", "bytes ", ""]),
    st.lists(_RANGE, max_size=30).map(",".join),
)
TAG = st.sampled_from(
    ["*", '""', '"a"', 'W/"a"', '"a', 'a"', '"a", "b"', '"a""b"', ",", "W/", '"\\""', '"é"']
)
DATE = st.sampled_from(
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 99 Nov 1994 08:49:37 GMT", "0", "-1",
     "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT", "x" * 500,
     "Sun, 06 Nov 0000 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 +9999"]
)  # fmt: skip
DIGEST = st.one_of(
    st.binary(max_size=40).map(lambda octets: b"sha-256=:" + octets + b":"),
    st.sampled_from(
        ["sha-256=::", "sha-256=:!:", "sha-256", "sha-256=1", "md5=:AAAA:", "sha-256=:AAAA:",
         "sha-256=:" + "A" * 43 + "=:, sha-256=:" + "B" * 43 + "=:", "=", ",,,", "sha-256=?1"]
    ),
)  # fmt: skip
SECRET = st.one_of(
    st.sampled_from(
        ["Bearer", "Bearer ", "Bearer pst_", "Bearer shr_", "Bearer shr_a.b", "Basic", "Basic =",
         "Basic 8J+Y", "Digest x", "Basic " + "A" * 6000, "Bearer \xff", ", ", "Bearer a b"]
    ),
    st.binary(max_size=40).map(lambda octets: b"Bearer pst_" + octets),
    st.binary(max_size=40).map(lambda octets: b"Bearer shr_" + octets),
)  # fmt: skip
COOKIE = st.one_of(
    st.binary(max_size=60).map(lambda octets: b"penstock_session=" + octets),
    st.sampled_from(
        ["=", ";", ";;;", "penstock_session", "penstock_share=a; penstock_share=b", 'a="\\',
        "$Version=1",
         "penstock_session=\xff", "a=b; " * 1000]
    ),
)  # fmt: skip
CODING = st.sampled_from(
    [
        "gzip",
        "identity",
        "br;q=0",
        "*;q=0",
        "gzip;q=2",
        "gzip;q=",
        ";",
        ",,",
        "gzip;q=1e9",
        "zstd, " * 300,
    ]
)
VALUES: dict[str, st.SearchStrategy[str] | st.SearchStrategy[str | bytes]] = {
    "Range": RANGE,
    "If-Range": TAG | DATE,
    "If-Match": TAG,
    "If-None-Match": TAG,
    "If-Modified-Since": DATE,
    "If-Unmodified-Since": DATE,
    "Content-Length": NUMBER,
    "Content-Range": st.builds("bytes {}-{}/{}".format, NUMBER, NUMBER, NUMBER),
    "Content-Digest": DIGEST,
    "Repr-Digest": DIGEST,
    "Want-Repr-Digest": DIGEST | st.sampled_from(["sha-256=99999999999", "sha-256=-1", "*"]),
    "Content-Type": st.sampled_from(
        ["", "/", "a/b;", "multipart/form-data", "multipart/form-data; boundary=", "text/html;x=",
         'multipart/form-data; boundary="', "application/json; charset=x", "é/é", "a" * 5000,
         "application/offset+octet-stream", "application/partial-upload"]
    ),
    "Content-Encoding": CODING,
    "Accept-Encoding": CODING,
    "Accept": CODING | st.sampled_from(["text/html", "text/event-stream", "*/*;q=x", "/"]),
    "Transfer-Encoding": CODING | st.sampled_from(["chunked", "chunked, chunked", "x"]),
    "Expect": st.sampled_from(["100-continue", "200-ok", "", "100-continue, x"]),
    "Connection": st.sampled_from(["close", "keep-alive", "upgrade", "close, keep-alive", ","]),
    "Upgrade": st.sampled_from(["websocket", "h2c", "HTTP/2.0", ""]),
    "Cookie": COOKIE,
    "Authorization": SECRET,
    "Origin": st.sampled_from(["null", "http://x", "https://x:99999", "//", "http://[", "*"]),
    "Host": st.sampled_from(["", "x:y", "[::", "a b", "x" * 5000, "\x80", "x/../y", "@"]),
    "Forwarded": st.sampled_from(["for=x", 'for="[::', ";;;", "proto=javascript"]),
    "X-Forwarded-For": st.sampled_from(["", "x", "1.2.3.4, ", "::", "1" * 5000]),
    "X-Forwarded-Proto": st.sampled_from(["javascript", "https,http", "", "HTTPS"]),
    "X-Request-ID": st.sampled_from(["", "x" * 5000, "é", "a b"]),
    "X-File-Name": st.sampled_from(["a", "", "é", "a/b", "\x98"]),
    "Last-Event-ID": NUMBER,
    "Tus-Resumable": st.sampled_from(["1.0.0", "0.2.2", "", "1.0.0, 1.0.0"]),
    "Upload-Length": NUMBER,
    "Upload-Offset": NUMBER,

       "Upload-Defer-Length": NUMBER,
    "Upload-Metadata": st.sampled_from([",", "filename", "filename !", "filename YQ==",
    "a " * 500]),
    "Upload-Concat": st.sampled_from(["partial", "final;", "final;/v1/uploads/a /", "final; x"]),
    "Upload-Checksum": st.sampled_from(["sha1", "sha1 !", "x YQ==", "sha256 " + "A" * 5000]),
    "Upload-Complete": st.sampled_from(["?0", "?1", "?2", "1", "?", "true"]),
    "Upload-Limit": st.sampled_from(["max-size=1", "=", "max-size=-1"]),
    "Upload-Draft-Interop-Version": NUMBER,
    "traceparent": st.sampled_from(["00-" + "0" * 32 + "-" + "0" * 16 + "-00", "x", "00-" * 99]),
}  # fmt: skip


def _field(name: str) -> st.SearchStrategy[bytes]:
    value = VALUES[name].map(_octets) | ANYTHING
    return value.map(lambda octets: name.encode() + b": " + octets)


def _octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


FIELDS = st.sampled_from(sorted(VALUES)).flatmap(_field)


@pytest.fixture(autouse=True)
def there(line: Line) -> None:
    """The file that some of the paths name."""
    octets = head("PUT", "/v1/files/a", "Content-Length: 3") + b"abc"
    assert statuses(line.said(octets))[-1] in (200, 201)


def well_behaved(line: Line, octets: bytes) -> None:
    """Whatever it says, it is no error of the server's, and it hangs up in the end."""
    came = statuses(line.said(octets))
    assert all(status < 500 for status in came), came


@_FUZZ
@given(
    method=st.sampled_from(METHODS),
    path=st.sampled_from(PATHS),
    fields=st.lists(FIELDS, max_size=6),
    body=st.binary(max_size=40),
)
def test_any_fields_are_answered(
    line: Line, method: str, path: str, fields: list[bytes], body: bytes
) -> None:
    well_behaved(line, head(method, path, *fields) + body + LAST)


@_FUZZ
@given(
    path=st.sampled_from(["/v1/files/a", "/files/a", "/download/a", "/v1/zip?key=a"]),
    fields=st.lists(
        st.sampled_from(
            ["Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since",
             "If-Unmodified-Since", "Accept-Encoding", "Want-Repr-Digest"]
        ).flatmap(_field),
        min_size=1,
        max_size=8,
    ),
)  # fmt: skip
def test_any_conditions_and_ranges_of_a_file_are_answered(
    line: Line, path: str, fields: list[bytes]
) -> None:
    well_behaved(line, head("GET", path, *fields))


@_FUZZ
@given(
    path=st.sampled_from(["/v1/uploads", "/v1/uploads/a", "/v1/files/b", "/upload"]),
    method=st.sampled_from(["POST", "PUT", "PATCH", "HEAD", "DELETE", "OPTIONS"]),

       fields=st.lists(
        st.sampled_from(
            ["Tus-Resumable", "Upload-Length", "Upload-Offset", "Upload-Defer-Length",
            "Repr-Digest",
             "Upload-Metadata", "Upload-Concat", "Upload-Checksum", "Upload-Complete",
             "Upload-Draft-Interop-Version", "Content-Type", "Content-Digest", "Content-Range"]
        ).flatmap(_field),
        min_size=1,
        max_size=6,
    ),
)  # fmt: skip
def test_any_fields_of_an_upload_are_answered(
    line: Line, path: str, method: str, fields: list[bytes]
) -> None:
    length = b"Content-Length: 3"
    well_behaved(line, head(method, path, length, *fields) + b"abc" + LAST)


@_FUZZ
@given(target=st.binary(max_size=80), path=st.sampled_from(PATHS), query=st.text(max_size=40))
def test_any_target_is_answered(line: Line, target: bytes, path: str, query: str) -> None:
    for octets in (target, path.encode() + target):
        well_behaved(line, head("GET", octets) + LAST)
    well_behaved(line, head("GET", f"{path}?key={query}&limit={query}&after={query}&x") + LAST)


@_FUZZ
@given(octets=st.binary(max_size=300), end=st.sampled_from([b"", b"\r\n\r\n", b"\n\n"]))
def test_what_is_no_http_is_answered_or_left(line: Line, octets: bytes, end: bytes) -> None:
    well_behaved(line, octets + end + LAST)
