"""The page, the API documentation, and their assets, all served from the package."""

from pathlib import Path

from aiohttp import web

HERE = Path(__file__).parent
STATIC = HERE / "static"

# Listed once: no request can name another file, and none waits for the disk to say so. Pages have
# addresses of their own, where somebody may be asked to log in.
_ASSETS = {
    path.relative_to(STATIC).as_posix()
    for path in STATIC.rglob("*")
    if path.is_file() and path.suffix != ".html"
}

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


def page(name: str) -> web.FileResponse:
    """One of the pages of the package, with the rules that browsers are to keep on it."""
    return web.FileResponse(STATIC / name, headers=_HEADERS)


async def index(request: web.Request) -> web.FileResponse:
    """``GET /``: files, to look at and to move."""
    return page("index.html")


async def docs(request: web.Request) -> web.FileResponse:
    """``GET /docs``: Swagger UI over the contract."""
    return page("docs.html")


async def contract(request: web.Request) -> web.FileResponse:
    """``GET /openapi.yaml``: the contract of the HTTP interface."""
    headers = _HEADERS | {"Content-Type": "application/yaml"}
    return web.FileResponse(HERE / "openapi.yaml", headers=headers)


async def asset(request: web.Request) -> web.FileResponse:
    """``GET /static/…``: scripts, styles and pictures."""
    name = request.match_info["path"]
    if name not in _ASSETS:
        raise web.HTTPNotFound
    return web.FileResponse(STATIC / name, headers=_HEADERS)
