"""Traces are made only where somebody wants them, and cost a start nothing elsewhere."""

from typing import TYPE_CHECKING

from penstock.errors import MissingExtra
from penstock.settings import Settings

if TYPE_CHECKING:
    from penstock.server.observing.tracing import Tracing


def tracing_of(settings: Settings) -> "Tracing | None":
    """What makes traces; ``None`` if nobody is to be sent any.

    :raises MissingExtra: the extra ``traces`` is not installed.
    """
    if not settings.traces:
        return None
    try:
        from penstock.server.observing.tracing import Tracing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise MissingExtra("sending traces", "traces") from error
    return Tracing(settings.traces, settings.traces_ratio)
