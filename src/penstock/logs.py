"""Structured log lines, written by a thread so that a slow reader of the log stalls nobody."""

import atexit
import contextlib
import json
import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Protocol, TextIO

_MOST_WAITING = 10_000
_AT_ONCE = 4096
"""Bytes that a pipe takes whole (PIPE_BUF, pipe(7)): lines of several processes do not mix."""
_ALONE = 1 << 20
"""Bytes at once of a process that nobody shares the pipe with."""
_GATHER = 0.05

_log = logging.getLogger("penstock")
_encode = json.JSONEncoder(default=str).encode

Fields = Callable[[], Mapping[str, object]]
_also: list[Fields] = []


def note(event: str, *, level: int = logging.INFO, failed: bool = False, **fields: object) -> None:
    """One line about ``event``; ``failed`` adds the traceback of the exception being handled."""
    if not _log.isEnabledFor(level):
        return
    # Made here, not by the logger: that would look for the line of code that called, at half the
    # cost of the whole line, and no line of the log names it.
    caught = sys.exc_info() if failed else None
    record = logging.LogRecord(_log.name, level, "", 0, event, None, caught)
    record.__dict__["fields"] = fields
    _log.handle(record)


def say_also(fields: Fields | None) -> None:
    """Have every line say what ``fields`` answers where the line is made, such as its trace."""
    _also[:] = [fields] if fields is not None else []


class LogSettings(Protocol):
    """What is logged, and how."""

    @property
    def log_format(self) -> str: ...

    @property
    def log_level(self) -> str: ...


def set_up_logging(settings: LogSettings, **always: object) -> None:
    """Write all log records to standard error, as JSON or pretty; libraries' from warnings up.

    ``always`` are fields of every line, which tell it from those of other processes.
    """
    stream = sys.stderr
    pretty = settings.log_format == "pretty" or (settings.log_format == "auto" and stream.isatty())
    handler = GatheringHandler(stream, _AT_ONCE if always else _ALONE)
    handler.setFormatter(PrettyFormatter(always) if pretty else JsonFormatter(always))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    _log.setLevel(settings.log_level.upper())


class _Formatter(logging.Formatter):
    """Knows the fields of every line."""

    def __init__(self, always: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self._always = dict(always or {})

    def _fields(self, record: logging.LogRecord) -> dict[str, object]:
        told = {**getattr(record, "fields", {}), **self._always}
        for fields in _also:
            told |= fields()
        return told


class JsonFormatter(_Formatter):
    """A record as one line of JSON: its fields, then event, level and timestamp."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            **self._fields(record),
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": _timestamp(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encode(line)


class PrettyFormatter(_Formatter):
    """A record as one line for people, with the traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in self._fields(record).items())
        line = f"{_timestamp(record)} {record.levelname.lower():7} {record.getMessage()}{fields}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class GatheringHandler(logging.Handler):
    """Takes records; a thread writes what has gathered every 50 ms.

    Waking the thread for each line would cost more than writing it. When the reader of the log is
    so slow that 10,000 lines wait, further ones are dropped; so are those that cannot be written.
    """

    def __init__(self, stream: TextIO, at_once: int = _AT_ONCE) -> None:
        super().__init__()
        self._stream = stream
        self._at_once = at_once
        self._lines: deque[str] = deque()
        self._some = threading.Event()
        self._writing = threading.Lock()
        threading.Thread(target=self._run, name="penstock-log", daemon=True).start()
        atexit.register(self.flush)

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._lines) < _MOST_WAITING:
            self._lines.append(self.format(record))
        if not self._some.is_set():
            self._some.set()

    def flush(self) -> None:
        """Write what waits."""
        with self._writing:
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            for piece in _pieces(lines, self._at_once):
                # A log on a full disk, or that nobody reads any more, is told nothing of it; the
                # next lines may be taken again.
                with contextlib.suppress(OSError):
                    self._stream.write(piece)
                    self._stream.flush()

    def _run(self) -> None:
        while True:
            self._some.wait()
            time.sleep(_GATHER)
            self._some.clear()
            self.flush()


def _pieces(lines: list[str], most: int) -> Iterator[str]:
    """Whole lines, as many as fit into ``most`` bytes; a longer line is alone."""
    piece, size = "", 0
    for line in lines:
        more = len(line.encode(errors="surrogatepass")) + 1
        if piece and size + more > most:
            yield piece
            piece, size = "", 0
        piece += f"{line}\n"
        size += more
    if piece:
        yield piece


def _timestamp(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")[:26] + "Z"
