"""The log, as the server's rooms have it; it is written by ``penstock.logs``."""

from penstock.logs import (
    GatheringHandler,
    JsonFormatter,
    PrettyFormatter,
    note,
    set_up_logging,
)

__all__ = ["GatheringHandler", "JsonFormatter", "PrettyFormatter", "note", "set_up_logging"]
