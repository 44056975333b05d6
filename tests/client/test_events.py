"""Reading Server-Sent Events, however their bytes are cut (WHATWG HTML §9.2.6)."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.client import events
from penstock.client.events import Event, EventReader
from penstock.errors import PenstockError

STREAM = (
    "\ufeff: a comment\n\n"
    "data: one\n\n"
    "event: add\r\nid: 7\r\ndata: first\r\ndata:  second\r\ndata\r\n\r\n"
    "retry: 10\rdata:ä€😀\r\r"
    "id: a\0b\nunknown: x\ndata: three\n\n"
    "event: without data\n\n"
    "data: never ended"
).encode()

EVENTS = [
    Event("message", "one", ""),
    Event("add", "first\n second\n", "7"),
    Event("message", "ä€😀", "7"),
    Event("message", "three", "7"),
]


def read(pieces: list[bytes]) -> list[Event]:
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)]


def test_a_stream_at_once() -> None:
    assert read([STREAM]) == EVENTS


def test_a_stream_byte_by_byte() -> None:
    assert read([STREAM[at : at + 1] for at in range(len(STREAM))]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM))))
def test_a_stream_cut_anywhere(cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(STREAM)]

    assert read([STREAM[a:b] for a, b in pairwise(at)]) == EVENTS


@given(st.binary(max_size=200))
def test_nothing_breaks_it(data: bytes) -> None:
    read([data, data])


def test_an_event_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST", 1000)

    with pytest.raises(PenstockError, match="too large"):
        read([b"data: " + b"x" * 2000])
    with pytest.raises(PenstockError, match="too large"):
        read([b"data: xxxxxxxxxx\n"] * 200)
