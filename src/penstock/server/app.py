"""The application: every route, in one place."""

from collections.abc import AsyncIterator
from functools import partial

from aiohttp import web

from penstock.server import files, forms, health, middleware, pages, zips
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
from penstock.server.dashboard.login import prepare_login
from penstock.server.draft import routes as draft
from penstock.server.events import STREAMS, Streams
from penstock.server.jobs import routes as jobs
from penstock.server.pulls import routes as pulls
from penstock.server.receiving import expect_later
from penstock.server.s3 import routes as s3
from penstock.server.services import SERVICES, Services
from penstock.server.serving import SERVING, Serving
from penstock.server.uploads import routes as uploads


def build_app(services: Services) -> web.Application:
    """The aiohttp application that serves ``services``."""
    quiet = file_service.refuse_quietly
    app = web.Application(middlewares=[middleware.observe, middleware.errors, quiet])
    app[SERVICES] = services
    app[SERVING] = Serving(services.settings, services.traffic)
    app[STREAMS] = Streams()
    app.on_startup.append(prepare_login)
    app.on_startup.append(_begin_jobs)
    app.on_shutdown.append(_end_jobs)
    app.on_response_prepare.append(middleware.identify)
    app.on_response_prepare.append(uploads.mark)
    app.cleanup_ctx.append(_delivering_hooks)
    app.cleanup_ctx.append(_sweeping_uploads)
    app.cleanup_ctx.append(_keeping_cluster)
    add = partial(app.router.add_route, expect_handler=expect_later)
    get = partial(app.router.add_get, allow_head=True, expect_handler=expect_later)
    key = "/v1/files/{key:(?s:.*)}"
    add("PUT", key, files.put_file)
    get(key, files.get_file)
    add("DELETE", key, files.delete_file)
    add("OPTIONS", key, draft.options)
    get("/v1/files", files.list_files)
    add("POST", "/v1/files", forms.post_form)
    get("/v1/uploads", uploads.at_uploads)
    get("/v1/uploads/{id}", uploads.at_upload)
    for method in ("OPTIONS", "POST"):
        add(method, "/v1/uploads", uploads.at_uploads)
    for method in ("OPTIONS", "PATCH", "DELETE", "POST"):
        add(method, "/v1/uploads/{id}", uploads.at_upload)
    get("/v1/zip", zips.get_zip)
    add("POST", "/v1/zip", zips.post_zip)
    add("POST", "/v1/zips", zips.make_zip_link)
    get("/v1/zips/{id}", zips.get_kept_zip)
    add("POST", "/v1/pulls", pulls.begin_pull)
    get("/v1/pulls", pulls.list_pulls)
    get("/v1/pulls/{id}", pulls.get_pull)
    add("DELETE", "/v1/pulls/{id}", pulls.cancel_pull)
    get("/v1/pulls/{id}/events", pulls.pull_events)
    add("POST", "/v1/pulls/{id}/retry", pulls.retry_pull)
    get("/v1/jobs", jobs.list_jobs)
    get("/v1/jobs/events", jobs.jobs_events)
    get("/v1/jobs/{id}", jobs.get_job)
    add("DELETE", "/v1/jobs/{id}", jobs.cancel_job)
    get("/v1/jobs/{id}/log", jobs.job_log)
    get("/v1/jobs/{id}/events", jobs.job_events)
    add("POST", "/v1/jobs/{id}/retry", jobs.retry_job)
    get("/v1/lanes", jobs.list_lanes)
    add("PUT", "/v1/lanes/{name}", jobs.change_lane)
    get("/v1/nodes", nodes.list_nodes)
    add("POST", "/v1/nodes/{id}/drain", nodes.drain_node)
    add("POST", "/v1/nodes/{id}/scrub", nodes.scrub_node)
    add("DELETE", "/v1/nodes/{id}", nodes.remove_node)
    add("POST", "/live", live)
    add("POST", "/v1/archives", archives.begin_archive)
    add("POST", "/v1/archives/plan", archives.plan_archive)
    get("/v1/archives", archives.list_archives)
    get("/v1/archives/{id}", archives.get_archive)
    add("DELETE", "/v1/archives/{id}", archives.cancel_archive)
    get("/v1/archives/{id}/events", archives.archive_events)
    add("POST", "/v1/archives/{id}/retry", archives.retry_archive)
    add("POST", "/s3/multipart", s3.begin)
    get("/s3/multipart/{uploadId}", s3.list_parts)
    add("DELETE", "/s3/multipart/{uploadId}", s3.abort)
    get("/s3/multipart/{uploadId}/batch", s3.sign_parts)
    get("/s3/multipart/{uploadId}/{partNumber}", s3.sign_part)
    add("POST", "/s3/multipart/{uploadId}/complete", s3.complete)
    get("/s3/params", s3.sign_form)
    get("/v1/server", health.server_info)
    get("/livez", health.livez)
    get("/readyz", health.readyz)
    add("POST", "/api/upload", stream_download.upload)
    add("POST", "/api/download", stream_download.download)
    for method in ("POST", "PUT"):
        add(method, "/stream-upload", file_streaming.stream_upload)
        add(method, "/file-upload", file_streaming.file_upload)
    add("POST", "/upload", file_service.upload)
    get("/files/{name:(?s:.*)}", file_service.download)
    get("/download/{name}", file_upload.download)
    add("POST", "/create-job", stream_vault.create_job)
    get("/job/{id:.*}", stream_vault.job_details)
    get("/health", stream_vault.health)
    get("/", pages.index)
    get("/docs", pages.docs)
    get("/dashboard", dashboard.show)
    get("/dashboard/{path:.*}", dashboard.below)
    get("/openapi.yaml", pages.contract)
    get("/static/{path:.+}", pages.asset)
    return app


async def _begin_jobs(app: web.Application) -> None:
    app[SERVICES].worker.start()


async def _end_jobs(app: web.Application) -> None:
    """Jobs go on elsewhere, or here after a restart; who watches them is not kept waiting."""
    await app[SERVICES].worker.close()
    await app[SERVICES].jobs.close()


async def _delivering_hooks(app: web.Application) -> AsyncIterator[None]:
    """Webhooks are delivered as long as the application runs."""
    courier = app[SERVICES].courier
    if courier is not None:
        courier.start()
    yield
    if courier is not None:
        await courier.close()


async def _sweeping_uploads(app: web.Application) -> AsyncIterator[None]:
    """Expired uploads are removed as long as the application runs."""
    sweeper = app[SERVICES].uploads.sweeper
    sweeper.start()
    yield
    await sweeper.close()


async def _keeping_cluster(app: web.Application) -> AsyncIterator[None]:
    """Copies are kept and what nobody needs is removed as long as the application runs."""
    cluster = app[SERVICES].cluster
    if cluster is not None:
        cluster.upkeep.start()
    yield
    if cluster is not None:
        await cluster.upkeep.close()
