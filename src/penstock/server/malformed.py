"""What the log says of requests that are no HTTP: one line each, for anybody can send them."""

import logging

from aiohttp.http_exceptions import HttpProcessingError

_LONGEST = 200
"""Characters of the reason; the rest of it repeats what the client sent."""


class _WithoutTraceback(logging.Filter):
    """Makes of a client's mistake, which aiohttp logs as an error with a traceback, a line."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            reason = error.message.partition("\n")[0].rstrip(":")[:_LONGEST]
            record.__dict__["fields"] = {"reason": reason}
            record.msg, record.args, record.exc_info = "request that is no HTTP", (), None
            record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        return True


def connections_logger() -> logging.Logger:
    """The logger for what happens on connections, outside of requests."""
    made = logging.getLogger("penstock.connections")
    if not made.filters:
        made.addFilter(_WithoutTraceback())
    return made
