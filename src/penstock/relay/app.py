"""The application of a relay: every route, in one place."""

from functools import partial

from aiohttp import web

from penstock.relay import downloads, files
from penstock.relay.authority import only_callers
from penstock.relay.context import RELAY, Relay
from penstock.relay.options import Options
from penstock.server import middleware
from penstock.server.health import livez
from penstock.server.receiving import expect_later
from penstock.server.serving import SERVING, Serving, Traffic


def build_relay(options: Options, relay: Relay) -> web.Application:
    """The aiohttp application that serves ``relay``."""
    app = web.Application(
        middlewares=[middleware.observe, middleware.errors, only_callers(options.access_token)]
    )
    app[RELAY] = relay
    app[SERVING] = Serving(options, Traffic(options.max_transfers))
    app.on_response_prepare.append(middleware.identify)
    get = partial(app.router.add_get, allow_head=True, expect_handler=expect_later)
    get("/v1/files/{key:(?s:.*)}", files.get_file)
    get("/download/{name}", downloads.download)
    get("/livez", livez)
    return app
