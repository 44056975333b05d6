"""Structured log lines, written by a thread so that a slow reader of the log stalls nobody."""

import atexit
import json
import logging
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

from penstock.settings import Settings

_MOST_WAITING = 10_000
_GATHER = 0.05
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

log: structlog.typing.FilteringBoundLogger = structlog.get_logger("penstock")


class LineSink:
    """Takes finished lines; a thread writes what has gathered every 50 ms.

    Waking the thread for each line would cost more than writing it. When the reader of the log is
    so slow that 10,000 lines wait, further ones are dropped.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: deque[str] = deque()
        self._some = threading.Event()
        threading.Thread(target=self._run, name="penstock-log", daemon=True).start()
        atexit.register(self.flush)

    def msg(self, line: str) -> None:
        if len(self._lines) < _MOST_WAITING:
            self._lines.append(line)
        if not self._some.is_set():
            self._some.set()

    debug = info = warning = error = critical = exception = msg

    def flush(self) -> None:
        """Write what waits."""
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if lines:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()

    def _run(self) -> None:
        while True:
            self._some.wait()
            time.sleep(_GATHER)
            self._some.clear()
            self.flush()


_requests: LineSink | None = None


def log_request(fields: dict[str, Any]) -> None:
    """One line for one request; JSON takes the short way past structlog's processors."""
    if _requests is None:
        log.info("request", **fields)
        return
    fields |= {
        "event": "request",
        "level": "info",
        "timestamp": datetime.now(UTC).isoformat()[:26] + "Z",
    }
    _requests.msg(json.dumps(fields))


def set_up_logging(settings: Settings) -> None:
    """Make ``log`` write to standard error, as JSON or pretty."""
    global _requests
    stream = sys.stderr
    pretty = settings.log_format == "pretty" or (settings.log_format == "auto" and stream.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    sink = LineSink(stream)
    level = _LEVELS[settings.log_level]
    _requests = None if pretty or level > _LEVELS["info"] else sink
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if pretty else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=True,
    )
    # What libraries report through the standard library goes the same way.
    logging.basicConfig(stream=stream, level=logging.WARNING, force=True)
