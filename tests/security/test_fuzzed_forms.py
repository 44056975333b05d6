"""Forms with anything in them: an answer below 500, bounded memory, nothing left behind.

If one of these failed, one form would end the service, fill its memory, or its disk with
temporaries that nobody removes.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.security.speaking import LAST, Line, answer_in, head, statuses
from tests.serving import RunningServer

MIB = 1 << 20
PATHS = ["/v1/files", "/api/upload", "/file-upload", "/api/download"]

_FUZZ = settings(
    max_examples=50,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

BOUNDARIES = st.sampled_from([b"b", b"--", b"b b", b"x" * 70, b"x" * 300, b"'()+_,-./:=?"])
NAME = st.sampled_from(
    [b'"file"', b'"path"', b'"name"', b'"filePath"', b'"fileName"', b'"json"', b"file", b'""',

       b'"fi',
     b'"file"; name="path"', b'"\xff"', b"file; filename*=UTF-8''%2e%2e%2fx",
     b'"file"; filename=""',
     b'"file"; filename="a\\"b"', b"file; filename*=x'y", b"file; filename*0=a; filename*1=b",
     b'"file"; filename="\xff\xfe"', b'"file"; filename="a\x00b"', b'"file"; filename="..\\\\x"']
)  # fmt: skip
LINE = st.one_of(
    NAME.map(lambda name: b"Content-Disposition: form-data; name=" + name),
    st.sampled_from(
        [b"Content-Disposition: attachment", b"Content-Disposition:", b"Content-Type: text/html",
         b"Content-Transfer-Encoding: base64", b"Content-Length: 5", b"Content-Length: -1",
         b"Content-Encoding: gzip", b"Content-Type: multipart/mixed; boundary=c", b" folded", b":",
         b"no colon", b"Content-Type: a/b\x00", b"X: " + b"a" * 9000]
    ),
    st.binary(max_size=30),
)  # fmt: skip
END_OF_LINE = st.sampled_from([b"\r\n", b"\n", b"\r", b""])
VALUE = st.one_of(
    st.binary(max_size=100),
    st.sampled_from([b"\r\n--", b"\r\n--b", b"--b--", b"a/../b", b"\r" * 50, b'{"urls": [1]}']),
)


@st.composite
def forms(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A boundary, and a body that has more or less to do with it."""
    boundary = draw(BOUNDARIES)
    body = draw(st.sampled_from([b"", b"preamble", b"\r\n"]))
    for lines, value in draw(
        st.lists(st.tuples(st.lists(LINE, max_size=4), VALUE), min_size=1, max_size=5)
    ):
        body += b"--" + boundary + draw(END_OF_LINE)
        body += b"".join(line + draw(END_OF_LINE) for line in lines)
        body += draw(END_OF_LINE) + value + draw(END_OF_LINE)
    return boundary, body + draw(
        st.sampled_from([b"--" + boundary + b"--\r\n", b"--" + boundary + b"--", b"", b"--"])
    )


def post(path: str, boundary: bytes, body: bytes) -> bytes:
    kind = b'Content-Type: multipart/form-data; boundary="' + boundary + b'"'
    return head("POST", path, kind, f"Content-Length: {len(body)}") + body


def left(server: RunningServer) -> list[Path]:
    """Temporaries that are still there."""
    return list((server.data / "files/.penstock/tmp").iterdir())


@_FUZZ
@given(form=forms(), path=st.sampled_from(PATHS))
def test_any_form_is_answered(
    hurried: RunningServer, line: Line, form: tuple[bytes, bytes], path: str
) -> None:
    (status, *_) = statuses(line.said(post(path, *form)))

    assert status < 500
    assert left(hurried) == []


@_FUZZ
@given(
    kind=st.binary(max_size=60).filter(lambda octets: not set(octets) & set(b"\r\n\0")),
    body=st.binary(max_size=60),
)
def test_any_type_of_form_is_answered(line: Line, kind: bytes, body: bytes) -> None:
    for path in PATHS:
        fields = (b"Content-Type: multipart/form-data;" + kind, f"Content-Length: {len(body)}")
        came = statuses(line.said(head("POST", path, *fields) + body + LAST))
        assert all(status < 500 for status in came)


FILE = b'Content-Disposition: form-data; name="file"; filename="x"\r\n'
TRAPS = {
    "a head without an end": b"--b\r\n" + b"X: " + b"a" * (8 * MIB),
    "many lines of a head": b"--b\r\n" + b"X: a\r\n" * MIB,
    "many parts": b"--b\r\n" * MIB,
    "many empty files": (b"--b\r\n" + FILE + b"\r\n\r\n") * 20_000 + b"--b--\r\n",
    "a long name": b'--b\r\nContent-Disposition: form-data; name="' + b"a" * (4 * MIB),
    "a long text": b'--b\r\nContent-Disposition: form-data; name="path"\r\n\r\n' + b"a" * (8 * MIB),
    "a preamble": b"a" * (16 * MIB),
    "nearly the end": b"--b\r\n" + FILE + b"\r\n" + b"\r\n--" * (2 * MIB),
    "behind the end": b"--b\r\n" + FILE + b"\r\nx\r\n--b--\r\n" + b"a" * (16 * MIB),
}


@pytest.mark.parametrize("path", ["/v1/files", "/api/download"])
@pytest.mark.parametrize("body", TRAPS.values(), ids=TRAPS)
def test_no_form_takes_much_memory(
    hurried: RunningServer, line: Line, path: str, body: bytes
) -> None:
    before = hurried.memory()

    came = line.said(post(path, b"b", body))

    assert all(status < 500 for status in statuses(came))
    assert hurried.memory() < before + 24 * MIB
    assert left(hurried) == []


@pytest.mark.parametrize("path", ["/v1/files", "/api/upload", "/file-upload"])
def test_a_form_in_a_form_is_a_file(line: Line, path: str) -> None:
    inner = b'--c\r\nContent-Disposition: form-data; name="path"\r\n\r\n../x\r\n--c--\r\n'
    kind = b"Content-Type: multipart/mixed; boundary=c\r\n"
    body = b"--b\r\n" + FILE + kind + b"\r\n" + inner + b"\r\n--b--\r\n"

    assert answer_in(line.said(post(path, b"b", body))).status in (200, 201)
