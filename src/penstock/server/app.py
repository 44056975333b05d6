"""The application: what surrounds the routes, and what goes on as long as it runs."""

from collections.abc import AsyncIterator

from aiohttp import web

from penstock.server import middleware
from penstock.server.access.cors import prepare_cors
from penstock.server.access.gate import gate
from penstock.server.access.limits import prepare_limits
from penstock.server.access.operator import prepare_operator
from penstock.server.compat import file_service
from penstock.server.events import STREAMS, Streams
from penstock.server.observing import make_watch, watching
from penstock.server.routes import add_routes
from penstock.server.services import SERVICES, Services
from penstock.server.serving import SERVING, Serving
from penstock.server.shares.visiting import prepare_doors
from penstock.server.uploads import routes as uploads


def build_app(services: Services) -> web.Application:
    """The aiohttp application that serves ``services``."""
    quiet = file_service.refuse_quietly
    app = web.Application(middlewares=[middleware.observe, middleware.errors, gate, quiet])
    app[SERVICES] = services
    watch = make_watch(services.traffic, services)
    app[SERVING] = Serving(services.settings, services.traffic, watch)
    app[STREAMS] = Streams()
    prepare_doors(app)
    prepare_limits(app, services.settings.workers)
    prepare_cors(app, services.settings.cors_origins)
    app.on_startup.append(prepare_operator)
    app.on_startup.append(_begin_jobs)
    app.on_shutdown.append(_end_jobs)
    app.on_response_prepare.append(middleware.identify)
    app.on_response_prepare.append(uploads.mark)
    app.cleanup_ctx.append(watching)
    app.cleanup_ctx.append(_delivering_hooks)
    app.cleanup_ctx.append(_sweeping_uploads)
    app.cleanup_ctx.append(_keeping_cluster)
    app.cleanup_ctx.append(_keeping_access)
    add_routes(app)
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


async def _keeping_access(app: web.Application) -> AsyncIterator[None]:
    """The audit log is written as long as the application runs."""
    access = app[SERVICES].access
    access.start()
    yield
    await access.close()
