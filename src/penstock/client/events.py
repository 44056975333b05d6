"""Server-Sent Events, read as they arrive (WHATWG HTML §9.2.6)."""

import codecs
import re
from typing import NamedTuple

from penstock.errors import PenstockError

MOST = 1 << 20
"""Characters of one event; a server that sends more is not ours."""

_END_OF_LINE = re.compile(r"\r\n|\n|\r")


class Event(NamedTuple):
    """``name`` is its type, ``id`` the last event id that the stream told."""

    name: str
    data: str
    id: str


class EventReader:
    """Turns the bytes of a stream into its events, however they are cut."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest = ""
        self._name = ""
        self._data: list[str] = []
        self._size = 0
        self._id = ""

    def feed(self, data: bytes) -> list[Event]:
        """The events that are complete with these bytes.

        :raises PenstockError: one is too large.
        """
        text = self._rest + self._decoder.decode(data)
        # A line feed may follow, which belongs to the same end of line.
        held = "\r" if text.endswith("\r") else ""
        *lines, self._rest = _END_OF_LINE.split(text.removesuffix(held))
        self._rest += held
        events = [event for line in lines if (event := self._line(line)) is not None]
        if len(self._rest) + self._size > MOST:
            raise PenstockError("an event is too large; check the server's address")
        return events

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
            self._size += len(value)
        elif field == "id" and "\0" not in value:
            self._id = value
        return None  # comments, and fields that nobody knows, are ignored

    def _dispatch(self) -> Event | None:
        name, data = self._name or "message", self._data
        self._name, self._data, self._size = "", [], 0
        return Event(name, "\n".join(data), self._id) if data else None
