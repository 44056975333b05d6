"""``GET /metrics``: what a monitoring system sees of one process, or of several on one port."""

import asyncio
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from blockbuster import BlockBuster

from penstock.server.observing import Watch
from penstock.server.observing.asked import Asking
from penstock.server.observing.meters import Meters
from penstock.server.observing.processes import Collected
from penstock.server.serving import Traffic
from tests.conftest import StartServer
from tests.eventually import eventually
from tests.server.conftest import Api
from tests.server.scraping import Scrape, scrape, scrape_openmetrics
from tests.serving import RunningServer


def put(url: str, key: str, data: bytes) -> None:
    request = Request(f"{url}/v1/files/{key}", data, method="PUT")
    with urlopen(request, timeout=30) as answer:
        assert answer.status in (200, 201)


def get(url: str) -> int:
    try:
        with urlopen(url, timeout=30) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


async def scraped(api: Api) -> Scrape:
    return Scrape((await api.get("/metrics")).decode())


def test_promtool_finds_nothing_wrong(server: RunningServer) -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed")
    put(server.url, "a", b"x")
    with urlopen(f"{server.url}/metrics", timeout=30) as answer:
        text = answer.read()

    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_openmetrics_is_understood_as_that(server: RunningServer) -> None:
    assert "penstock_http_requests" in scrape_openmetrics(server.url)


async def test_a_client_that_asks_for_a_strange_format_gets_text(api: Api) -> None:
    response, _ = await api.call("GET", "/metrics", Accept="text/plain;version=x.y, a/b;;q=,")

    assert response.status == 200
    assert response.content_type == "text/plain"


def test_requests_are_counted_by_route_and_never_by_key(server: RunningServer) -> None:
    put(server.url, "secret-plans.txt", b"x")
    assert get(f"{server.url}/v1/files/no-such-secret") == 404
    assert get(f"{server.url}/no-such-page") == 404

    seen = scrape(server.url)

    name = "penstock_http_requests_total"
    assert seen.value(name, route="/v1/files/{key}", method="PUT", status="201") >= 1
    assert seen.value(name, route="/v1/files/{key}", method="GET", status="404") >= 1
    assert seen.value(name, route="none", status="404") >= 1
    assert seen.value("penstock_problems_total", code="not-found") >= 1
    assert "secret" not in seen.text


async def test_methods_that_nothing_here_has_are_one(api: Api) -> None:
    for method in ("PROPFIND", "MKCOL", "LOCK"):
        await api.call(method, "/livez")

    seen = await scraped(api)
    assert seen.value("penstock_http_requests_total", method="other", status="405") == 3
    assert "MKCOL" not in seen.text


async def test_bytes_are_counted_while_they_flow(api: Api) -> None:
    before = (await scraped(api)).value("penstock_transfer_bytes_total", direction="in")
    _reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"PUT /v1/files/slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n")
    writer.write(bytes(1_000_000))
    await writer.drain()

    seen = Scrape("")
    for _ in range(200):
        seen = await scraped(api)
        if seen.value("penstock_transfer_bytes_total", direction="in") - before >= 1_000_000:
            break
        await asyncio.sleep(0.05)

    assert seen.value("penstock_transfer_bytes_total", direction="in") - before == 1_000_000
    assert seen.value("penstock_transfers_in_flight") == 1
    writer.close()
    await writer.wait_closed()


async def test_what_went_out_is_counted_to_the_byte(api: Api) -> None:
    await api.put("whole", bytes(3_000_000))

    await api.get("/v1/files/whole")
    await api.get("/v1/files/whole", Range="bytes=0-99")

    seen = await scraped(api)
    assert seen.value("penstock_transfer_bytes_total", direction="out") == 3_000_100


async def test_a_zip_counts_its_members(api: Api) -> None:
    for key in ("z/1", "z/2", "z/3"):
        await api.put(key, b"x")

    await api.get("/v1/zip?prefix=z/")

    seen = await scraped(api)
    assert seen.value("penstock_zips_total", layout="stored") == 1
    assert seen.value("penstock_zip_entries_total") == 3


async def test_uploads_and_their_conflicts_are_counted(api: Api) -> None:
    tus = {"Tus_Resumable": "1.0.0"}
    metadata = "key YQ=="
    made, _ = await api.call(
        "POST", "/v1/uploads", None, Upload_Length="3", Upload_Metadata=metadata, **tus
    )
    place = made.headers["Location"]
    kind = {"Content_Type": "application/offset+octet-stream"}
    wrong, _ = await api.call("PATCH", place, b"c", Upload_Offset="2", **kind, **tus)
    unfinished = await scraped(api)
    right, _ = await api.call("PATCH", place, b"abc", Upload_Offset="0", **kind, **tus)

    seen = await scraped(api)
    assert (made.status, wrong.status, right.status) == (201, 409, 204)
    assert unfinished.value("penstock_uploads_unfinished") == 1
    assert unfinished.value("penstock_uploads_unfinished_bytes") == 3
    assert seen.value("penstock_upload_offset_conflicts_total") == 1
    assert seen.value("penstock_upload_events_total", event="finished") == 1
    assert seen.value("penstock_uploads_unfinished") == 0


async def test_jobs_are_counted_by_lane_and_state_with_their_wait(api: Api) -> None:
    await api.put("folder/a", b"x")
    begun, _ = await api.call(
        "POST", "/v1/archives", b'{"prefix": "folder/"}', Content_Type="application/json"
    )
    assert begun.status == 202

    seen = Scrape("")
    for _ in range(400):
        seen = await scraped(api)
        if seen.value("penstock_jobs", state="done"):
            break
        await asyncio.sleep(0.05)

    assert seen.values("penstock_jobs", lane="small", state="done") == [1]
    assert seen.value("penstock_job_queue_wait_seconds_count", lane="small") == 1
    assert seen.value("penstock_catalog_changes_total") > 0


async def test_what_the_catalog_cannot_tell_is_left_out_and_said_so(api: Api) -> None:
    await asyncio.to_thread(forget_jobs, api.services.settings.data / "catalog.sqlite")

    seen = await scraped(api)

    assert seen.values("penstock_scrape_success", part="jobs") == [0]
    assert seen.values("penstock_scrape_success", part="uploads") == [1]
    assert seen.values("penstock_jobs") == []
    assert seen.value("process_resident_memory_bytes") > 0


def forget_jobs(catalog: Path) -> None:
    connection = sqlite3.connect(catalog, timeout=30)
    with connection:
        connection.execute("ALTER TABLE jobs RENAME TO lost_jobs")
    connection.close()


def test_processes_on_one_port_are_seen_as_one(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = tmp_path / "together"
    together.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(together))
    one, two = start_server(), start_server()
    put(one.url, "a", b"12345")
    put(two.url, "b", b"123")

    both = scrape(one.url)
    two.kill()
    left = scrape(one.url)
    three = start_server()
    put(three.url, "c", b"1")
    again = scrape(three.url)

    name = "penstock_http_requests_total"
    assert [seen.value(name, method="PUT") for seen in (both, left, again)] == [2, 2, 3]
    written = "penstock_http_request_duration_seconds_count"
    assert [seen.value(written, method="PUT") for seen in (both, left, again)] == [2, 2, 3]
    memory = [len(seen.values("process_resident_memory_bytes")) for seen in (both, left, again)]
    assert memory == [2, 1, 2]
    assert again.labels("pid") == {"0", "1"}
    assert both.value("penstock_transfers_limit") == 1024
    assert len(again.values("penstock_build_info")) == 1
    assert cpu(left) <= cpu(again)


def test_a_file_that_another_process_is_just_making_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "counter_1.db").touch()

    assert list(Collected(tmp_path).collect()) == []


async def test_what_cannot_be_read_is_read_again_and_does_not_stand_in_the_way_of_the_end() -> None:
    asked = []

    def broken(_watch: Watch) -> None:
        asked.append(time.monotonic())
        raise ValueError("not now")

    watch = Watch(Traffic(1), Meters(), Asking(None))
    watch.read_also(broken)
    watch.start()
    is_asked_again = await eventually(lambda: len(asked) > 1, 30)

    await watch.close()

    assert is_asked_again


def cpu(seen: Scrape) -> float:
    return seen.value("process_cpu_seconds_total")


async def test_a_loop_that_is_held_up_is_seen(api: Api, loop_guard: BlockBuster) -> None:
    loop_guard.deactivate()
    loop = asyncio.get_running_loop()
    seen = Scrape("")
    for _ in range(20):
        loop.call_soon(time.sleep, 0.3)
        await asyncio.sleep(0.35)
        seen = await scraped(api)
        if late(seen):
            break

    assert late(seen) > 0


def late(seen: Scrape) -> float:
    """How often the loop was late by more than a tenth of a second."""
    name = "penstock_event_loop_lag_seconds"
    return seen.value(f"{name}_count") - seen.value(f"{name}_bucket", le="0.1")
