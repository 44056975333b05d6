"""Traces: a span for each request, and one for each request that it sends to others.

``traceparent`` (W3C Trace Context) is heeded in requests and set in those that this server sends,
to remote servers, S3 and storage nodes. Spans go to a collector by OTLP over HTTP, in batches, by a
thread; what the collector does not take is dropped.
"""

import os
from contextvars import Token
from typing import Final, NamedTuple

from aiohttp import web
from opentelemetry import context, trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_TRACES_TIMEOUT
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from yarl import URL

from penstock import __version__
from penstock.logs import say_also
from penstock.server.context import RECEIVED, REQUEST_ID, SENT, shown_path
from penstock.server.observing.exporting import TellingExporter

_EXPORT_TIMEOUT: Final = 2.0
"""Seconds, unless OpenTelemetry's variable has them; a server that ends waits for it."""
_GATHER_MS: Final = 1000
_ROUTINE: Final = frozenset({"/livez", "/readyz", "/metrics", "/debug/memory"})
"""They come every few seconds and tell nothing."""


class _Open(NamedTuple):
    span: Span
    token: "Token[context.Context]"


_OPEN = web.RequestKey("span", _Open)


class Tracing:
    """Sends spans to the collector at ``url``.

    ``ratio`` is the share of requests that begin a trace; those that bring one follow its flag.
    """

    def __init__(self, url: str, ratio: float) -> None:
        resource = Resource.create({"service.name": "penstock", "service.version": __version__})
        self._provider = TracerProvider(resource=resource, sampler=ParentBasedTraceIdRatio(ratio))
        told = os.environ.get(OTEL_EXPORTER_OTLP_TRACES_TIMEOUT)
        exporter = TellingExporter(url, None if told else _EXPORT_TIMEOUT)
        batches = BatchSpanProcessor(exporter, schedule_delay_millis=_GATHER_MS)
        self._provider.add_span_processor(batches)
        self._tracer = self._provider.get_tracer("penstock", __version__)
        self._propagator = TraceContextTextMapPropagator()
        self._clients = AioHttpClientInstrumentor()
        self._clients.instrument(tracer_provider=self._provider, url_filter=_bare)
        say_also(trace_fields)

    def begin(self, request: web.Request) -> None:
        """Open the span of a request, in the task that handles it."""
        resource = request.match_info.route.resource
        route = "" if resource is None else resource.canonical
        if route in _ROUTINE:
            return
        span = self._tracer.start_span(
            f"{request.method} {route}".strip(),
            self._propagator.extract(request.headers),
            SpanKind.SERVER,
            {
                "http.request.method": request.method,
                "http.route": route,
                "url.path": shown_path(request),
                "penstock.request_id": request[REQUEST_ID],
            },
        )
        request[_OPEN] = _Open(span, context.attach(trace.set_span_in_context(span)))

    def end(self, request: web.Request, status: int) -> None:
        """Close it, in the same task."""
        opened = request.get(_OPEN)
        if opened is None:
            return
        span = opened.span
        span.set_attribute("http.response.status_code", status)
        span.set_attribute("http.request.body.size", request.get(RECEIVED, 0))
        span.set_attribute("http.response.body.size", request.get(SENT, 0))
        if status >= 500 or status == 499:
            span.set_status(StatusCode.ERROR)
        span.end()
        context.detach(opened.token)

    def close(self) -> None:
        """Send what waits; blocks for some seconds if the collector does not answer."""
        self._clients.uninstrument()
        say_also(None)
        self._provider.shutdown()


def trace_fields() -> dict[str, object]:
    """For log lines: the trace that the running task belongs to."""
    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return {}
    return {"trace_id": f"{current.trace_id:032x}", "span_id": f"{current.span_id:016x}"}


def _bare(url: URL) -> str:
    """Without what may be secret."""
    return str(url.with_user(None).with_password(None).with_query(None).with_fragment(None))
