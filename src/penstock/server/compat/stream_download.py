"""``/api/upload`` and ``/api/download``, as the stream-download service has them."""

import json
from contextlib import AsyncExitStack
from urllib.parse import parse_qs

from aiohttp import web

from penstock.archives import OnError, Selection, UrlMember
from penstock.archives.selection import Compress
from penstock.errors import (
    BadRequest,
    Forbidden,
    PenstockError,
    TooLarge,
    UnsupportedMediaType,
)
from penstock.server.access.actions import about
from penstock.server.access.granted import grant_of
from penstock.server.forms import Form, FormFields, form_text, receive_form
from penstock.server.public import public_url
from penstock.server.receiving import MOST_SMALL, check_body, small_body
from penstock.server.services import services_of
from penstock.server.urls import url_of
from penstock.server.zips import send_zip
from penstock.stores.keys import check_key

_FIELDS = FormFields(path="filePath", name="fileName")
_DISPOSITION = "attachment; filename=download.zip"


async def upload(request: web.Request) -> web.Response:
    """``POST /api/upload``: one file in a form, perhaps with ``filePath`` and ``fileName``."""
    with services_of(request).traffic:
        async with AsyncExitStack() as stack:
            try:
                return await _upload(request, stack)
            except TooLarge:
                text = "Request Entity Too Large"
                return web.Response(status=413, text=text, headers={"Connection": "close"})
            except UnsupportedMediaType:
                return _failed(400, "File is required")
            except Forbidden:
                raise
            except PenstockError as error:
                return _failed(error.status, f"Failed to upload file: {error.detail}")


async def _upload(request: web.Request, stack: AsyncExitStack) -> web.Response:
    check_body(request)
    form = await receive_form(request, stack, _FIELDS)
    if not form.uploads:
        return _failed(400, "File is required")
    first = form.uploads[0]
    folder, name = _place(form)
    key = check_key("/".join(part for part in (folder.strip("/"), name) if part))
    about(request, key)
    grant_of(request).check_key(key)
    info = await first.writer.commit(key, content_type=first.content_type)
    data = {
        "filename": name,
        "filePath": folder,
        "url": public_url(request) + url_of(key),
        "size": info.size,
    }
    message = "File uploaded successfully"
    return _json({"success": True, "message": message, "data": data}, 200)


def _place(form: Form) -> tuple[str, str]:
    """The folder, and the name of the file in it."""
    folder = form.paths[0] if form.paths else ""
    given = form.names[0] if form.names else ""
    return folder, given or form.uploads[0].file_name


async def download(request: web.Request) -> web.StreamResponse:
    """``POST /api/download``: a ZIP of URLs, with a report of those that failed inside."""
    try:
        urls = await _urls(request)
    except BadRequest as error:
        return _failed(400, error.detail)
    services = services_of(request)
    selection = Selection.make(
        [],
        [],
        urls=[UrlMember(url, _name(url)) for url in urls],
        compress=Compress.AUTO,
        on_error=OnError.REPORT,
    )
    with services.traffic:
        return await send_zip(request, await services.planner.plan(selection), _DISPOSITION)


async def _urls(request: web.Request) -> list[str]:
    """The URLs, out of a JSON body or the form field ``json`` (what a browser's form sends)."""
    if "application/json" in request.headers.get("Content-Type", ""):
        text: str | bytes = await small_body(request, MOST_SMALL)
        where = "Invalid request body"
    else:
        text = await _form_field(request, "json")
        where = "Invalid JSON in form"
        if not text:
            raise BadRequest("URLs array is required")
    try:
        urls = json.loads(text).get("urls")
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadRequest(f"{where}: {error}") from None
    if not urls:
        raise BadRequest("URLs array is required")
    if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
        raise BadRequest(f"{where}: urls is not an array of strings")
    return urls


async def _form_field(request: web.Request, name: str) -> str:
    """A text field of a form of either kind; empty if there is none."""
    if request.content_type == "application/x-www-form-urlencoded":
        fields = parse_qs((await small_body(request, MOST_SMALL)).decode(errors="replace"))
        return fields.get(name, [""])[0]
    if request.content_type != "multipart/form-data":
        return ""
    return await form_text(request, name, MOST_SMALL)


def _name(url: str) -> str:
    """The last segment of the URL's path, as it stands there."""
    return url.partition("#")[0].partition("?")[0].rstrip("/").rpartition("/")[2] or "."


def _failed(status: int, message: str) -> web.Response:
    return _json({"success": False, "message": message}, status)


def _json(document: dict[str, object], status: int) -> web.Response:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return web.Response(text=text, status=status, content_type="application/json")
