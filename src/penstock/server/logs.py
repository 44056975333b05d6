"""Structured log lines, written by a thread so that a slow reader of the log stalls nobody."""

import atexit
import logging
import queue
import sys
import threading
from typing import Any, TextIO

import structlog

from penstock.settings import Settings

_MOST_WAITING = 10_000
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

log: structlog.typing.FilteringBoundLogger = structlog.get_logger("penstock")


class LineSink:
    """A logger of finished lines for structlog; drops lines when too many wait."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._write, name="penstock-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def msg(self, line: str) -> None:
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            return

    debug = info = warning = error = critical = exception = msg

    def close(self) -> None:
        """Write what waits, then stop."""
        if self._thread.is_alive():
            self._lines.put(None)
            self._thread.join(timeout=2)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            lines = [line]
            while not self._lines.empty() and (line := self._lines.get()) is not None:
                lines.append(line)
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()
            if line is None:
                return


def set_up_logging(settings: Settings) -> None:
    """Make ``log`` write to standard error, as JSON or pretty."""
    stream = sys.stderr
    pretty = settings.log_format == "pretty" or (settings.log_format == "auto" and stream.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if pretty
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    sink = LineSink(stream)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if pretty else [structlog.processors.format_exc_info]),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[settings.log_level]),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=True,
    )
    # What libraries report through the standard library goes the same way.
    logging.basicConfig(stream=stream, level=logging.WARNING, force=True)
