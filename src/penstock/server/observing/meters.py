"""Every metric that is kept by the process itself, once: name, unit, meaning.

What the catalog knows is asked when somebody looks (:mod:`.asked`). Labels have few values: never a
key, a user or an address. With several processes counters and histograms are those of all; a gauge
is the sum, or has the label ``pid``, the number of the process, from 0 on.
"""

from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)

_Mode = Literal["liveall", "livesum"]

# A series more for each counter, of which nothing here makes use.
disable_created_metrics()  # type: ignore[no-untyped-call]

_REQUESTS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    *(30.0, 60.0, 300.0, 1800.0),
)
_COMMITS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_LAGS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
_WAITS: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)


class Meters:
    """The metrics of one application; ``registry`` is where they are read if there is but one
    process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._of_requests()
        self._of_transfers()
        self._of_work()
        self._of_the_process()

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str, *labels: str, mode: _Mode = "livesum") -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry, multiprocess_mode=mode)

    def _histogram(
        self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(name, meaning, labels, registry=self.registry, buckets=buckets)

    def _of_requests(self) -> None:
        self.requests = self._counter(
            "penstock_http_requests_total",
            "Requests that are over, by route, method and status; 499: the client left, or the "
            "answer was cut off.",
            *("route", "method", "status"),
        )
        self.durations = self._histogram(
            "penstock_http_request_duration_seconds",
            "Seconds from a request's head to the last byte of its answer.",
            _REQUESTS,
            *("route", "method"),
        )
        self.in_flight = self._gauge(
            "penstock_http_requests_in_flight", "Requests that are being handled."
        )
        self.problems = self._counter(
            "penstock_problems_total", "Requests that were answered with an error, by code.", "code"
        )
        self.conflicts = self._counter(
            "penstock_upload_offset_conflicts_total",
            "Requests whose bytes did not begin where the upload stood.",
        )

    def _of_transfers(self) -> None:
        self.bytes = self._counter(
            "penstock_transfer_bytes_total",
            "Bytes of files and other bodies that went in or out, counted as they flow.",
            "direction",
        )
        self.transfers = self._gauge("penstock_transfers_in_flight", "Transfers under way.")
        self.limit = self._gauge(
            "penstock_transfers_limit", "Transfers that may be under way at once."
        )
        self.followers = self._gauge(
            "penstock_followers_in_flight", "Readers of uploads that are still arriving."
        )
        self.uploads = self._counter(
            "penstock_upload_events_total",
            "Resumable uploads that were created, finished, failed, deleted or expired.",
            "event",
        )
        self.zips = self._counter(
            "penstock_zips_total", "ZIPs that were begun to be sent, by layout.", "layout"
        )
        self.zip_entries = self._counter("penstock_zip_entries_total", "Members of these ZIPs.")
        self.buffered = self._gauge(
            "penstock_buffered_bytes", "Bytes on their way to the store that wait in memory."
        )

    def _of_work(self) -> None:
        self.job_waits = self._histogram(
            "penstock_job_queue_wait_seconds",
            "Seconds from the request for a job to its first beginning, of jobs begun here.",
            _WAITS,
            "lane",
        )
        self.jobs_held = self._gauge("penstock_jobs_held", "Jobs that the server itself works on.")
        self.commits = self._histogram(
            "penstock_catalog_commit_seconds",
            "Seconds that a transaction of the catalog took; several changes share one.",
            _COMMITS,
        )
        self.changes = self._counter(
            "penstock_catalog_changes_total", "Changes that these transactions made."
        )
        self.store_requests = self._counter(
            "penstock_store_requests_total", "Requests to S3, tries included."
        )
        self.store_errors = self._counter(
            "penstock_store_errors_total",
            "Requests to S3 that failed in a way that may pass: refused, or no whole answer.",
            "reason",
        )
        self.store_retries = self._counter(
            "penstock_store_retries_total", "Requests to S3 that were sent again."
        )
        self.upkeep = self._counter(
            "penstock_cluster_upkeep_total",
            "Parts that this server's upkeep of the cluster dealt with, by what it did.",
            "what",
        )

    def _of_the_process(self) -> None:
        self.lag = self._histogram(
            "penstock_event_loop_lag_seconds",
            "Seconds that the event loop was late, measured twice a second.",
            _LAGS,
        )
        self.memory = self._gauge(
            "process_resident_memory_bytes", "Memory of the process in RAM.", mode="liveall"
        )
        self.cpu = self._counter(
            "process_cpu_seconds_total", "Processor time, of all processes together."
        )
        self.files = self._gauge("process_open_fds", "Open files and sockets.", mode="liveall")
        self.most_files = self._gauge(
            "process_max_fds", "Most files and sockets that may be open.", mode="liveall"
        )
        self.started = self._gauge(
            "process_start_time_seconds", "When the process began, since 1970.", mode="liveall"
        )
        self.tasks = self._gauge("penstock_tasks", "Tasks of asyncio.", mode="liveall")
        self.threads = self._gauge("penstock_threads", "Threads.", mode="liveall")
        self.collections = self._counter(
            "python_gc_collections_total", "Collections of garbage.", "generation"
        )
        self.collected = self._counter(
            "python_gc_objects_collected_total", "Objects that were collected.", "generation"
        )
