"""The application of a storage node: every route, in one place."""

from functools import partial

from aiohttp import web

from penstock.node import answers, files, parts
from penstock.node.authority import only_for, only_ours
from penstock.node.context import NODE, Node
from penstock.node.health import health
from penstock.node.options import Options
from penstock.server import middleware
from penstock.server.observing import make_watch, watching
from penstock.server.observing.scraping import metrics
from penstock.server.receiving import expect_later
from penstock.server.serving import SERVING, Serving, Traffic


def build_node(options: Options, node: Node) -> web.Application:
    """The aiohttp application that serves ``node``."""
    app = web.Application(
        middlewares=[
            middleware.observe,
            middleware.errors_as(answers),
            only_ours(options.secret),
            only_for(node.id),
        ]
    )
    app[NODE] = node
    traffic = Traffic(options.max_transfers)
    app[SERVING] = Serving(options, traffic, make_watch(traffic))
    app.cleanup_ctx.append(watching)
    app.on_response_prepare.append(middleware.identify)
    add = partial(app.router.add_route, expect_handler=expect_later)
    get = partial(app.router.add_get, allow_head=True, expect_handler=expect_later)
    name = "/files/{name:(?s:.*)}"
    add("PUT", name, files.put_file)
    get(name, files.get_file)
    add("DELETE", name, files.delete_file)
    get("/parts", parts.list_parts)
    add("POST", "/check", parts.check_parts)
    get("/health", health)
    get("/metrics", metrics)
    return app
