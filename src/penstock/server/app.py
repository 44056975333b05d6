"""The application: every route, in one place."""

from functools import partial

from aiohttp import web

from penstock.server import files, forms, health, middleware, pages, zips
from penstock.server.compat import stream_download
from penstock.server.receiving import expect_later
from penstock.server.services import SERVICES, Services


def build_app(services: Services) -> web.Application:
    """The aiohttp application that serves ``services``."""
    app = web.Application(middlewares=[middleware.observe, middleware.errors])
    app[SERVICES] = services
    app.on_response_prepare.append(middleware.identify)
    add = partial(app.router.add_route, expect_handler=expect_later)
    get = partial(app.router.add_get, allow_head=True, expect_handler=expect_later)
    key = "/v1/files/{key:(?s:.*)}"
    add("PUT", key, files.put_file)
    get(key, files.get_file)
    add("DELETE", key, files.delete_file)
    get("/v1/files", files.list_files)
    add("POST", "/v1/files", forms.post_form)
    get("/v1/zip", zips.get_zip)
    add("POST", "/v1/zip", zips.post_zip)
    add("POST", "/v1/zips", zips.make_zip_link)
    get("/v1/zips/{id}", zips.get_kept_zip)
    get("/v1/server", health.server_info)
    get("/livez", health.livez)
    get("/readyz", health.readyz)
    add("POST", "/api/upload", stream_download.upload)
    add("POST", "/api/download", stream_download.download)
    get("/", pages.index)
    get("/docs", pages.docs)
    get("/openapi.yaml", pages.contract)
    get("/static/{path:.+}", pages.asset)
    return app
