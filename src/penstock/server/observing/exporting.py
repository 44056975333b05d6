"""Sending spans to a collector, which may be away for as long as it likes."""

import logging
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from penstock.logs import note


class TellingExporter(SpanExporter):
    """Tells the log once that the collector takes nothing, and once that it does again.

    The library would tell of each batch, several lines a second for as long as it lasts.
    ``timeout`` is in seconds, and ``None`` that of OpenTelemetry's variables.
    """

    def __init__(self, url: str, timeout: float | None) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._sender = OTLPSpanExporter(endpoint=url, timeout=timeout)
        self._is_away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Blocks until they are taken or given up."""
        result = self._sender.export(spans)
        is_away = result is not SpanExportResult.SUCCESS
        if is_away and not self._is_away:
            note("traces are not taken", level=logging.WARNING, dropped=len(spans))
        elif self._is_away and not is_away:
            note("traces are taken again")
        self._is_away = is_away
        return result

    def shutdown(self) -> None:
        """Give up what is being sent."""
        self._sender.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept here."""
        return self._sender.force_flush(timeout_millis)
