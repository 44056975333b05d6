"""Is the process alive, is it ready, and what is it."""

from aiohttp import web

from penstock import __version__
from penstock.errors import PenstockError
from penstock.server.services import Services, services_of


async def livez(request: web.Request) -> web.Response:
    """``GET /livez``: the event loop turns."""
    return web.Response(text="ok\n")


async def readyz(request: web.Request) -> web.Response:
    """``GET /readyz``: requests would be served; ``?verbose`` lists the checks."""
    checks = await _checks(services_of(request))
    ready = all(reason == "ok" for reason in checks.values())
    lines = [("ok" if ready else "not ready")]
    if "verbose" in request.query:
        lines = [
            f"[{'+' if reason == 'ok' else '-'}] {name}: {reason}"
            for name, reason in checks.items()
        ] + lines
    return web.Response(text="\n".join(lines) + "\n", status=200 if ready else 503)


async def server_info(request: web.Request) -> web.Response:
    """``GET /v1/server``: version and limits, for clients."""
    settings = services_of(request).settings
    limits = {
        "max_body": int(settings.max_body),
        "max_transfers": settings.max_transfers,
        "max_ranges": settings.max_ranges,
        "max_form_files": settings.max_form_files,
        "max_zip_entries": settings.max_zip_entries,
        "max_zip_urls": settings.max_zip_urls,
        "pulls": settings.pulls,
    }
    return web.json_response({"name": "penstock", "version": __version__, "limits": limits})


async def _checks(services: Services) -> dict[str, str]:
    """Each part and ``ok``, or what is wrong with it."""
    checks = {"serving": "shutting down" if services.traffic.draining else "ok"}
    for name, check in (("store", services.store.check), ("catalog", services.selections.check)):
        try:
            await check()
            checks[name] = "ok"
        except PenstockError as error:
            checks[name] = error.detail
        except Exception as error:  # noqa: BLE001 - any failure of a part means not ready
            checks[name] = type(error).__name__
    return checks
