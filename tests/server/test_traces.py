"""Traces, as a collector gets them."""

import asyncio
import io
import json
import sys
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from penstock.errors import MissingExtra
from penstock.server.observing.starting_traces import tracing_of
from penstock.settings import Settings
from tests.conftest import StartServer
from tests.eventually import eventually
from tests.faults import Source, faulty
from tests.server.collecting import Collector, collector, facts
from tests.serving import RunningServer

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that may be slow: a server that ends waits until it has taken all."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "25")
    with collector() as running:
        yield running


async def call(
    server: RunningServer, method: str, path: str, data: bytes | None = None, **headers: str
) -> None:
    def send() -> None:
        request = Request(f"{server.url}{path}", data, headers, method=method)
        with urlopen(request, timeout=30) as answer:
            answer.read()

    await asyncio.to_thread(send)


async def test_a_request_is_a_span_of_the_trace_that_it_brings(
    start_server: StartServer, spans: Collector
) -> None:
    server = start_server(traces=spans.url, log_format="json")

    await call(
        server,
        "PUT",
        "/v1/files/a",
        b"12345",
        traceparent=f"00-{TRACE}-{PARENT}-01",
        **{"X-Request-ID": "the-request"},
    )
    await asyncio.to_thread(server.stop)

    (span,) = spans.named("PUT /v1/files/{key}")
    assert span.trace_id.hex() == TRACE
    assert span.parent_span_id.hex() == PARENT
    told = facts(span)
    assert told["http.route"] == "/v1/files/{key}"
    assert told["http.response.status_code"] == 201
    assert told["http.request.body.size"] == 5
    assert told["penstock.request_id"] == "the-request"
    assert spans.services == {"penstock"}
    line = next(line for line in lines(server) if line["event"] == "request")
    assert line["trace_id"] == TRACE
    assert line["span_id"] == span.span_id.hex()


async def test_what_the_server_asks_of_others_belongs_to_the_trace(
    start_server: StartServer, spans: Collector
) -> None:
    async with faulty() as source:
        source.serve("/film", b"film" * 100, etag='"1"')
        server = start_server(traces=spans.url, remote_allow="127.0.0.1")

        await call(server, "POST", "/v1/zip", selection(source), **JSON)
        await asyncio.to_thread(server.stop)

    (request,) = spans.named("POST /v1/zip")
    asked = [span for span in spans.spans if span.trace_id == request.trace_id and span != request]
    assert asked
    assert source.requests[0].headers["traceparent"].split("-")[1] == request.trace_id.hex()
    assert all("secret" not in str(span) for span in spans.spans)


JSON = {"Content-Type": "application/json"}


def selection(source: Source) -> bytes:
    return json.dumps(
        {"urls": [{"url": f"{source.url}/film?token=secret", "name": "film"}]}
    ).encode()


async def test_a_link_is_in_no_span(start_server: StartServer, spans: Collector) -> None:
    server = start_server(traces=spans.url)
    await call(server, "PUT", "/v1/files/a", b"1")
    share = Request(f"{server.url}/v1/shares", b'{"keys": ["a"]}', JSON)

    def made() -> str:
        with urlopen(share, timeout=30) as answer:
            return str(json.load(answer)["url"])

    link = (await asyncio.to_thread(made)).rpartition("/")[2]
    await call(server, "GET", f"/s/{link}/file")
    await asyncio.to_thread(server.stop)

    (span,) = spans.named("GET /s/{link}/file")
    assert facts(span)["url.path"] == f"/s/{link.partition('.')[0]}/file"
    assert all(link.partition(".")[2] not in str(span) for span in spans.spans)


async def test_a_link_that_is_as_good_as_a_token_is_not_told(
    start_server: StartServer, spans: Collector
) -> None:
    server = start_server(traces=spans.url)

    with pytest.raises(HTTPError):
        await call(server, "GET", "/s/abcdefghijklmnop.signature-of-the-link/file")
    await asyncio.to_thread(server.stop)

    assert [facts(span)["url.path"] for span in spans.spans] == ["/s/abcdefghijklmnop/file"]


async def test_a_share_of_nothing_sends_nothing_but_what_others_want(
    start_server: StartServer, spans: Collector
) -> None:
    server = start_server(traces=spans.url, traces_ratio=0)

    await call(server, "PUT", "/v1/files/a", b"1")
    await call(server, "PUT", "/v1/files/b", b"1", traceparent=f"00-{TRACE}-{PARENT}-01")
    await asyncio.to_thread(server.stop)

    assert [span.trace_id.hex() for span in spans.spans] == [TRACE]


async def test_a_collector_that_is_away_harms_nobody(start_server: StartServer) -> None:
    server = start_server(traces="http://127.0.0.1:9/v1/traces", log_format="json")

    def warnings() -> list[object]:
        return [line["event"] for line in lines(server) if line["level"] != "info"]

    await call(server, "PUT", "/v1/files/a", b"1")
    assert await eventually(lambda: bool(warnings()), 30)
    await call(server, "PUT", "/v1/files/a", b"1")

    assert await asyncio.to_thread(server.stop) == 0
    assert warnings() == ["traces are not taken"]


async def test_a_slow_collector_has_as_long_as_opentelemetrys_variable_says(
    start_server: StartServer, spans: Collector
) -> None:
    spans.delay = 2.5  # seconds; without the variable it has two
    server = start_server(traces=spans.url, log_format="json")

    await call(server, "PUT", "/v1/files/a", b"1")
    await asyncio.to_thread(server.stop)

    assert len(spans.named("PUT /v1/files/{key}")) == 1
    assert [line["event"] for line in lines(server) if line["level"] == "warning"] == []


async def test_spans_come_without_waiting_for_the_end(
    start_server: StartServer, spans: Collector
) -> None:
    server = start_server(traces=spans.url)

    await call(server, "PUT", "/v1/files/a", b"1")

    assert await eventually(lambda: bool(spans.named("PUT /v1/files/{key}")), 30)


def test_without_the_extra_the_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "penstock.server.observing.tracing", raising=False)

    with pytest.raises(MissingExtra, match=r"penstock\[traces\]"):
        tracing_of(Settings(traces="http://127.0.0.1:4318/v1/traces"))


def lines(server: RunningServer) -> list[dict[str, object]]:
    return [json.loads(line) for line in io.StringIO(server.log.read_text()) if line.strip()]
