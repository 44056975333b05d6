"""Every route, what handles it and what it needs, in one place."""

from collections.abc import Iterable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from penstock.server import files, forms, health, pages, zips
from penstock.server.access import audit_log, login, tokens
from penstock.server.access.needs import (
    ADMIN,
    ADMIN_PAGE,
    ANY,
    ARCHIVE,
    CREATE,
    NEEDS,
    OPEN,
    PAGE,
    READ,
    READ_PAGE,
    WATCH,
    WATCH_PAGE,
    WRITE,
    Needs,
)
from penstock.server.archives import routes as archives
from penstock.server.cluster import routes as nodes
from penstock.server.cluster.live import live
from penstock.server.compat import (
    file_service,
    file_streaming,
    file_upload,
    stream_download,
    stream_vault,
)
from penstock.server.dashboard import routes as dashboard
from penstock.server.draft import routes as draft
from penstock.server.jobs import routes as jobs
from penstock.server.observing import memory, profiling, scraping, standing
from penstock.server.pulls import routes as pulls
from penstock.server.receiving import expect_later
from penstock.server.s3 import routes as s3
from penstock.server.shares import pages as share_pages
from penstock.server.shares import routes as shares
from penstock.server.uploads import routes as uploads

_FILE: Final = "/v1/files/{key:(?s:.*)}"

_Routes = Iterable[tuple[str, str, Handler, Needs]]
"""Method, path, handler, what it needs; HEAD goes with every GET."""

_FILES: _Routes = (
    ("PUT", _FILE, files.put_file, CREATE),
    ("GET", _FILE, files.get_file, READ),
    ("DELETE", _FILE, files.delete_file, WRITE),
    ("OPTIONS", _FILE, draft.options, ANY),
    ("GET", "/v1/files", files.list_files, READ),
    ("POST", "/v1/files", forms.post_form, WRITE),
    ("GET", "/v1/uploads", uploads.at_uploads, WRITE),
    ("OPTIONS", "/v1/uploads", uploads.at_uploads, ANY),
    ("POST", "/v1/uploads", uploads.at_uploads, CREATE),
    ("GET", "/v1/uploads/{id}", uploads.at_upload, CREATE),
    ("OPTIONS", "/v1/uploads/{id}", uploads.at_upload, ANY),
    ("PATCH", "/v1/uploads/{id}", uploads.at_upload, CREATE),
    ("DELETE", "/v1/uploads/{id}", uploads.at_upload, CREATE),
    ("POST", "/v1/uploads/{id}", uploads.at_upload, CREATE),
    ("GET", "/v1/zip", zips.get_zip, READ),
    ("POST", "/v1/zip", zips.post_zip, READ),
    ("POST", "/v1/zips", zips.make_zip_link, READ),
    ("GET", "/v1/zips/{id}", zips.get_kept_zip, READ),
)

_WORK: _Routes = (
    ("POST", "/v1/pulls", pulls.begin_pull, WRITE),
    ("GET", "/v1/pulls", pulls.list_pulls, WRITE),
    ("GET", "/v1/pulls/{id}", pulls.get_pull, WRITE),
    ("DELETE", "/v1/pulls/{id}", pulls.cancel_pull, WRITE),
    ("GET", "/v1/pulls/{id}/events", pulls.pull_events, WRITE),
    ("POST", "/v1/pulls/{id}/retry", pulls.retry_pull, WRITE),
    ("GET", "/v1/jobs", jobs.list_jobs, ARCHIVE),
    ("GET", "/v1/jobs/events", jobs.jobs_events, ARCHIVE),
    ("GET", "/v1/jobs/{id}", jobs.get_job, ARCHIVE),
    ("DELETE", "/v1/jobs/{id}", jobs.cancel_job, ARCHIVE),
    ("GET", "/v1/jobs/{id}/log", jobs.job_log, ARCHIVE),
    ("GET", "/v1/jobs/{id}/events", jobs.job_events, ARCHIVE),
    ("POST", "/v1/jobs/{id}/retry", jobs.retry_job, ARCHIVE),
    ("GET", "/v1/lanes", jobs.list_lanes, ARCHIVE),
    ("PUT", "/v1/lanes/{name}", jobs.change_lane, ADMIN),
    ("POST", "/v1/archives", archives.begin_archive, ARCHIVE),
    ("POST", "/v1/archives/plan", archives.plan_archive, ARCHIVE),
    ("GET", "/v1/archives", archives.list_archives, ARCHIVE),
    ("GET", "/v1/archives/{id}", archives.get_archive, ARCHIVE),
    ("DELETE", "/v1/archives/{id}", archives.cancel_archive, ARCHIVE),
    ("GET", "/v1/archives/{id}/events", archives.archive_events, ARCHIVE),
    ("POST", "/v1/archives/{id}/retry", archives.retry_archive, ARCHIVE),
)

_OPERATION: _Routes = (
    ("GET", "/v1/nodes", nodes.list_nodes, WATCH),
    ("POST", "/v1/nodes/{id}/drain", nodes.drain_node, ADMIN),
    ("POST", "/v1/nodes/{id}/scrub", nodes.scrub_node, ADMIN),
    ("DELETE", "/v1/nodes/{id}", nodes.remove_node, ADMIN),
    # Nodes know the cluster's own secret.
    ("POST", "/live", live, OPEN),
    ("GET", "/v1/server", health.server_info, ANY),
    ("GET", "/livez", health.livez, OPEN),
    ("GET", "/readyz", health.readyz, OPEN),
    ("GET", "/metrics", scraping.metrics, WATCH),
    ("GET", "/debug/memory", memory.memory, WATCH),
    ("GET", "/debug/tasks", standing.tasks, ADMIN),
    ("GET", "/debug/threads", standing.threads, ADMIN),
    ("POST", "/debug/profile/cpu", profiling.cpu, ADMIN),
    ("POST", "/debug/profile/heap", profiling.heap, ADMIN),
)

_DIRECT: _Routes = (
    ("POST", "/s3/multipart", s3.begin, WRITE),
    ("GET", "/s3/multipart/{uploadId}", s3.list_parts, WRITE),
    ("DELETE", "/s3/multipart/{uploadId}", s3.abort, WRITE),
    ("GET", "/s3/multipart/{uploadId}/batch", s3.sign_parts, WRITE),
    ("GET", "/s3/multipart/{uploadId}/{partNumber}", s3.sign_part, WRITE),
    ("POST", "/s3/multipart/{uploadId}/complete", s3.complete, WRITE),
    ("GET", "/s3/params", s3.sign_form, WRITE),
)

_ACCESS: _Routes = (
    ("GET", "/login", login.show_login, OPEN),
    ("POST", "/login", login.log_in, OPEN),
    ("POST", "/logout", login.log_out, OPEN),
    ("GET", "/v1/session", login.show_session, ANY),
    ("GET", "/v1/tokens", tokens.list_tokens, ADMIN),
    ("POST", "/v1/tokens", tokens.add_token, ADMIN),
    ("DELETE", "/v1/tokens/{id}", tokens.remove_token, ADMIN),
    ("GET", "/v1/audit", audit_log.list_audit, ADMIN),
)

# Of systems that Penstock takes the place of, for the clients they have.
_ELSEWHERE: _Routes = (
    ("POST", "/api/upload", stream_download.upload, WRITE),
    ("POST", "/api/download", stream_download.download, READ),
    ("POST", "/stream-upload", file_streaming.stream_upload, WRITE),
    ("PUT", "/stream-upload", file_streaming.stream_upload, WRITE),
    ("POST", "/file-upload", file_streaming.file_upload, WRITE),
    ("PUT", "/file-upload", file_streaming.file_upload, WRITE),
    ("POST", "/upload", file_service.upload, WRITE),
    ("GET", "/files/{name:(?s:.*)}", file_service.download, READ),
    ("GET", "/download/{name}", file_upload.download, READ),
    ("POST", "/create-job", stream_vault.create_job, ARCHIVE),
    ("GET", "/job/{id:.*}", stream_vault.job_details, ARCHIVE),
    ("GET", "/health", stream_vault.health, OPEN),
)

_SHARES: _Routes = (
    # The handler asks for READ or WRITE, by what is shared.
    ("POST", "/v1/shares", shares.make_share, ANY),
    ("GET", "/v1/shares", shares.list_shares, ANY),
    ("DELETE", "/v1/shares/{id}", shares.remove_share, ANY),
    # Who has the link, and perhaps a password, needs nothing else.
    ("GET", "/s/{link}", share_pages.show, OPEN),
    ("POST", "/s/{link}", share_pages.enter, OPEN),
    ("GET", "/s/{link}/file", share_pages.get_file, OPEN),
    ("GET", "/s/{link}/info", share_pages.get_info, OPEN),
)

_PAGES: _Routes = (
    ("GET", "/", pages.shown("index.html"), PAGE),
    ("GET", "/docs", pages.shown("docs.html"), PAGE),
    ("GET", "/nodes", pages.shown("nodes.html"), WATCH_PAGE),
    ("GET", "/monitor", pages.shown("monitor.html"), WATCH_PAGE),
    ("GET", "/monitor.html", pages.shown("monitor.html"), WATCH_PAGE),
    ("GET", "/streaming.html", pages.shown("streaming.html"), READ_PAGE),
    ("GET", "/access", pages.shown("access.html"), ADMIN_PAGE),
    ("GET", "/dashboard", dashboard.show, PAGE),
    ("GET", "/dashboard/{path:.*}", dashboard.below, PAGE),
    ("GET", "/openapi.yaml", pages.contract, ANY),
    # The login is made of them; they are the same in every installation.
    ("GET", "/static/{path:.+}", pages.asset, OPEN),
)


def add_routes(app: web.Application) -> None:
    """Give ``app`` its routes, and say what each needs."""
    needs = app[NEEDS] = {}
    for routes in (_FILES, _WORK, _OPERATION, _DIRECT, _ACCESS, _ELSEWHERE, _SHARES, _PAGES):
        for method, path, handler, need in routes:
            if method == "GET":
                route = app.router.add_get(
                    path, handler, allow_head=True, expect_handler=expect_later
                )
            else:
                route = app.router.add_route(method, path, handler, expect_handler=expect_later)
            assert route.resource is not None
            needs[method, route.resource.canonical] = need
