"""Requests to S3 are part of a trace and counted, and servers take them as they are."""

from urllib.request import Request, urlopen

from tests.conftest import StartServer
from tests.s3.fixtures import quick
from tests.s3.servers import S3Server
from tests.server.collecting import collector
from tests.server.scraping import scrape


@quick
def test_what_is_asked_of_s3_belongs_to_the_trace_of_the_request(
    start_server: StartServer, s3_server: S3Server, prefix: str
) -> None:
    with collector() as spans:
        server = start_server(traces=spans.url, **s3_server.settings(prefix))

        with urlopen(Request(f"{server.url}/v1/files/a", b"12345", method="PUT")) as answer:
            assert answer.status == 201
        with urlopen(f"{server.url}/v1/files/a") as answer:
            assert answer.read() == b"12345"
        seen = scrape(server.url)
        server.stop()

    (put,) = spans.named("PUT /v1/files/{key}")
    below = [span for span in spans.spans if span.trace_id == put.trace_id and span != put]
    assert any(span.name == "PUT" for span in below)
    assert all("Signature" not in str(span) for span in spans.spans)
    assert seen.value("penstock_store_requests_total") >= 2
