"""Two readers of one stream of bytes must not see two streams of requests.

If one of these failed, somebody would hide a request in the body of another: behind a proxy that
checks who comes it would pass unchecked, and be answered to, or as, the next user.
"""

import pytest

from tests.security.speaking import LAST, Line, answer_in, head, statuses

HIDDEN = b"DELETE /v1/files/kept HTTP/1.1\r\nHost: x\r\n\r\n"
"""What is done if the server takes the bytes of a body for a request."""


@pytest.fixture(autouse=True)
def kept(line: Line) -> None:
    """A file that only the hidden request would remove."""
    put = head("PUT", "/v1/files/kept", "Content-Length: 1") + b"x"
    assert statuses(line.said(put))[-1] in (200, 201)


def is_kept(line: Line) -> bool:
    return statuses(line.said(head("GET", "/v1/files/kept"))) == [200]


def put(*fields: bytes, body: bytes = b"", version: bytes = b"HTTP/1.1") -> bytes:
    """A PUT with fields as they are, on a connection that would be kept."""
    lines = [b"PUT /v1/files/new " + version, b"Host: x", *fields, b"", b""]
    return b"\r\n".join(lines) + body


LENGTH = b"Content-Length: %d" % len(HIDDEN)
CHUNKED = b"Transfer-Encoding: chunked"
NO_CHUNKS = b"0\r\n\r\n" + HIDDEN

AMBIGUOUS = {
    "CL.TE": put(b"Content-Length: %d" % len(NO_CHUNKS), CHUNKED, body=NO_CHUNKS),
    "TE.CL": put(CHUNKED, b"Content-Length: 4", body=b"%x\r\n%b\r\n0\r\n\r\n" % (46, HIDDEN)),
    "two lengths": put(b"Content-Length: 0", LENGTH, body=HIDDEN),
    "two lengths, the larger first": put(LENGTH, b"Content-Length: 0", body=HIDDEN),
    "a list of lengths": put(b"Content-Length: 0, %d" % len(HIDDEN), body=HIDDEN),
    "a length with a sign": put(b"Content-Length: +%d" % len(HIDDEN), body=HIDDEN),
    "a negative length": put(b"Content-Length: -1", body=HIDDEN),
    "a length in hexadecimal": put(b"Content-Length: 0x2e", body=HIDDEN),
    "a length with an underscore": put(b"Content-Length: 4_6", body=HIDDEN),
    "a length with a space within": put(b"Content-Length: 4 6", body=HIDDEN),
    "a length with a dot": put(b"Content-Length: 0.0", body=HIDDEN),
    "a length of 2^64": put(b"Content-Length: 18446744073709551616", body=HIDDEN),
    "a length of 2^64 and a bit": put(b"Content-Length: 18446744073709551662", body=HIDDEN),
    "a length in other digits": put("Content-Length: ٤٦".encode(), body=HIDDEN),
    "no length after the colon": put(b"Content-Length:", body=HIDDEN),
    "a length before the colon's space": put(b"Content-Length : 0", body=HIDDEN),
    "a length with a tab before the colon": put(b"Content-Length\t: 0", body=HIDDEN),
    "a length with NUL": put(b"Content-Length: 0\x00", body=HIDDEN),
    "a length with a bare CR": put(b"Content-Length: 0\rX: y", body=HIDDEN),
    "a length on a folded line": put(b"Content-Length:\r\n 0", body=HIDDEN),
    "a folded line": put(b"X: y\r\n Transfer-Encoding: chunked", LENGTH, body=HIDDEN),
    "the coding before the colon's space": put(b"Transfer-Encoding : chunked", body=NO_CHUNKS),
    "the coding on a folded line": put(b"Transfer-Encoding:\r\n chunked", body=NO_CHUNKS),
    "the coding with a vertical tab": put(b"Transfer-Encoding: \x0bchunked", body=NO_CHUNKS),
    "the coding with NUL": put(b"Transfer-Encoding: chunked\x00", body=NO_CHUNKS),
    "the coding in quotes": put(b'Transfer-Encoding: "chunked"', body=NO_CHUNKS),
    "another coding": put(b"Transfer-Encoding: xchunked", body=NO_CHUNKS),
    "identity": put(b"Transfer-Encoding: identity", LENGTH, body=HIDDEN),
    "chunked is not the last": put(b"Transfer-Encoding: chunked, identity", body=NO_CHUNKS),
    "chunked twice": put(b"Transfer-Encoding: chunked, chunked", body=NO_CHUNKS),
    "two codings": put(CHUNKED, b"Transfer-Encoding: identity", body=NO_CHUNKS),
    "two codings, the other first": put(b"Transfer-Encoding: x", CHUNKED, body=NO_CHUNKS),
    "chunks in HTTP/1.0": put(CHUNKED, LENGTH, body=NO_CHUNKS, version=b"HTTP/1.0"),
    "a field without a colon": put(b"Transfer-Encoding chunked", LENGTH, body=HIDDEN),
    "a field without a name": put(b": chunked", LENGTH, body=HIDDEN),
    "a name with a space": put(b"X Content-Length: 0", LENGTH, body=HIDDEN),
    "a name with a bracket": put(b"Content-Length(: 0", LENGTH, body=HIDDEN),
    "a line that begins with a space": put(b" Content-Length: 0", body=HIDDEN),
    "a size of chunk with a sign": put(CHUNKED, body=b"+0\r\n\r\n" + HIDDEN),
    "a negative size of chunk": put(CHUNKED, body=b"-1\r\n\r\n" + HIDDEN),
    "a size of chunk with 0x": put(CHUNKED, body=b"0x0\r\n\r\n" + HIDDEN),
    "a size of chunk with an underscore": put(CHUNKED, body=b"0_0\r\n\r\n" + HIDDEN),
    "a size of chunk over 2^64": put(CHUNKED, body=b"10000000000000000\r\n\r\n" + HIDDEN),
    "a size of chunk behind a space": put(CHUNKED, body=b" 0\r\n\r\n" + HIDDEN),
    "a size of chunk that is no number": put(CHUNKED, body=b"\xd9\xa0\r\n\r\n" + HIDDEN),
    "no size of chunk": put(CHUNKED, body=b"\r\n\r\n" + HIDDEN),
    "a chunk that is longer than it says": put(CHUNKED, body=b"1\r\nab\r\n0\r\n\r\n" + HIDDEN),
    "a chunk without its end": put(CHUNKED, body=b"1\r\na0\r\n\r\n" + HIDDEN),
    "an extension with a bare LF": put(CHUNKED, body=b"0;a\n\r\n\r\n" + HIDDEN),
    "an extension with a bare CR": put(CHUNKED, body=b"0;a\rb\r\n\r\n" + HIDDEN),
    "a chunk's line that ends with LF": put(CHUNKED, body=b"0\n\r\n" + HIDDEN),
    "a length in the trailers": put(CHUNKED, body=b"0\r\nContent-Length: 5\r\n\r\n" + HIDDEN),
    "the coding in the trailers": put(CHUNKED, body=b"0\r\n%b\r\n\r\n%b" % (CHUNKED, HIDDEN)),
    "the name of a host, twice": put(b"Host: y", LENGTH, body=HIDDEN),
    "a version that is none": put(LENGTH, body=HIDDEN, version=b"HTTP/1.1 x"),
    "a version from elsewhere": put(LENGTH, body=HIDDEN, version=b"HTTP/9.9"),
}


@pytest.mark.parametrize("octets", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read(
    line: Line, octets: bytes
) -> None:
    came = statuses(line.said(octets + LAST))

    assert len(came) == 1
    assert 400 <= came[0] < 500
    assert is_kept(line)


PLAIN = {
    "a length": put(LENGTH, body=HIDDEN),
    "a length with blanks around": put(b"Content-Length: \t %d \t" % len(HIDDEN), body=HIDDEN),
    "chunks": put(CHUNKED, body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
    "chunks in capitals": put(
        b"TRANSFER-ENCODING: CHUNKED", body=b"%X\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)
    ),
    "a size with zeros": put(CHUNKED, body=b"000%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)),
    "extensions": put(CHUNKED, body=b'%x;a=b;c="d"\r\n%b\r\n0;e\r\n\r\n' % (len(HIDDEN), HIDDEN)),
    "trailers": put(
        CHUNKED,
        body=b"%x\r\n%b\r\n0\r\nX-Sum: 5\r\nExpires: y\r\n\r\n" % (len(HIDDEN), HIDDEN),
    ),
}


@pytest.mark.parametrize("octets", PLAIN.values(), ids=PLAIN)
def test_a_request_in_a_body_is_a_body(line: Line, octets: bytes) -> None:
    came = statuses(line.said(octets + LAST))

    assert len(came) == 2
    assert came[0] in (200, 201)
    assert answer_in(line.said(head("GET", "/v1/files/new"))).body == HIDDEN
    assert is_kept(line)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
def test_a_body_that_nobody_wants_is_no_request(line: Line, method: str) -> None:
    octets = b"%b /v1/files/nothing HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n%b" % (
        method.encode(),
        LENGTH,
        HIDDEN,
    )

    line.said(octets + LAST)

    assert is_kept(line)


@pytest.mark.parametrize(
    "target",
    [
        b"http://elsewhere.example/v1/files",
        b"//elsewhere.example/v1/files",
        b"*",
        b"x:80",
        b"x",
        b"?",
    ],
)
def test_the_server_is_no_proxy(line: Line, target: bytes) -> None:
    """Who could make it one would reach what only this machine reaches."""
    for method in (b"GET", b"CONNECT", b"OPTIONS", b"TRACE"):
        came = answer_in(
            line.said(b"%b %b HTTP/1.1\r\nHost: x\r\nX: secret\r\n\r\n" % (method, target))
        )

        assert came.status < 500
        assert b"secret" not in came.body
