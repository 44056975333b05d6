"""What is sent for a request: status, headers, pieces."""

from email import message_from_bytes
from email.message import Message

from hypothesis import given
from hypothesis import strategies as st

from penstock.downloads import Representation, SendPlan, plan_download
from penstock.octets.ranges import Span

DATA = bytes(range(256)) * 4
FILE = Representation(len(DATA), "v1", 1_700_000_000 * 10**9, "text/plain", sha256=b"s" * 32)


def plan(**fields: str) -> SendPlan:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return plan_download(headers, FILE, now=1_800_000_000.0)


def body(planned: SendPlan) -> bytes:
    return b"".join(
        piece if isinstance(piece, bytes) else DATA[piece.start : piece.stop]
        for piece in planned.pieces
    )


def parts(planned: SendPlan) -> list[Message]:
    """The parts as an independent parser sees them."""
    head = f"Content-Type: {planned.headers['Content-Type']}\r\n\r\n".encode()
    return list(message_from_bytes(head + body(planned)).walk())[1:]


def test_a_plain_get_is_the_whole_file_with_validators_and_digest() -> None:
    planned = plan()

    assert (planned.status, body(planned)) == (200, DATA)
    assert planned.headers["ETag"] == '"v1"'
    assert planned.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert planned.headers["Repr-Digest"].startswith("sha-256=:")


def test_one_range_is_a_206_without_multipart() -> None:
    planned = plan(Range="bytes=10-19")

    assert (planned.status, body(planned)) == (206, DATA[10:20])
    assert planned.headers["Content-Range"] == "bytes 10-19/1024"


def test_a_stale_if_range_gives_the_whole_file() -> None:
    assert plan(Range="bytes=10-19", If_Range='"v0"').status == 200


def test_an_unsatisfiable_range_tells_the_size() -> None:
    planned = plan(Range="bytes=5000-")

    assert planned.status == 416
    assert planned.headers["Content-Range"] == "bytes */1024"


def test_not_modified_has_no_body() -> None:
    planned = plan(If_None_Match='"v1"', Range="bytes=0-1")

    assert (planned.status, planned.pieces) == (304, ())


def test_several_ranges_are_parts_in_the_order_asked_for() -> None:
    planned = plan(Range="bytes=500-509,0-4")

    assert planned.status == 206
    assert "Content-Range" not in planned.headers
    assert [part["Content-Range"] for part in parts(planned)] == [
        "bytes 500-509/1024",
        "bytes 0-4/1024",
    ]


def test_an_empty_file_has_an_empty_body() -> None:
    planned = plan_download(
        {"Range": "bytes=0-"}, Representation(0, "v1", None, "text/plain"), now=0.0
    )

    assert planned.status == 416


@given(spans=st.lists(st.tuples(st.integers(0, 1100), st.integers(1, 40)), min_size=2, max_size=8))
def test_the_length_is_exact_and_the_parts_hold_the_slices(spans: list[tuple[int, int]]) -> None:
    header = "bytes=" + ",".join(f"{start}-{start + length - 1}" for start, length in spans)
    wanted = [DATA[start : start + length] for start, length in spans if start < len(DATA)]

    planned = plan(Range=header)

    assert planned.length == len(body(planned))
    if len(wanted) > 1:
        found = body(planned)
        for piece in wanted:
            assert piece in found
        assert [piece for piece in planned.pieces if isinstance(piece, Span)] == [
            Span(start, min(start + length, len(DATA)))
            for start, length in spans
            if start < len(DATA)
        ]
