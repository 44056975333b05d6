"""``/stream-upload`` and ``/file-upload``, as the file-streaming service has them.

That service takes any method; here a GET, which must change nothing, is refused. It keeps what
came of a body that broke off; here nothing of it stays.
"""

import json
from contextlib import AsyncExitStack
from secrets import randbits

from aiohttp import web

from penstock.errors import BadKey, BadRequest, PenstockError, UnsupportedMediaType
from penstock.server.access.actions import about
from penstock.server.access.granted import grant_of
from penstock.server.compat.storing import store_body, stored_fields
from penstock.server.forms import receive_form
from penstock.server.receiving import check_body
from penstock.server.services import services_of
from penstock.stores.interface import Condition, FileInfo
from penstock.stores.keys import check_key

_NEW = Condition(absent=True)
_NO_FILE = "file upload failed"


async def stream_upload(request: web.Request) -> web.Response:
    """``POST`` and ``PUT /stream-upload``: the raw body, however long it turns out to be."""
    with services_of(request).traffic:
        try:
            info = await store_body(request, f"{_folder(request)}{_digits()}.tmp", _NEW)
        except PenstockError as error:
            return _failed(error.status, error.detail)
    return _uploaded(info)


async def file_upload(request: web.Request) -> web.Response:
    """``POST`` and ``PUT /file-upload``: the first file in the field ``file`` of a form."""
    with services_of(request).traffic:
        async with AsyncExitStack() as stack:
            try:
                info = await _store_form(request, stack)
            except BadKey as error:
                return _failed(error.status, error.detail)
            except (BadRequest, UnsupportedMediaType):
                return _failed(400, _NO_FILE)
            except PenstockError as error:
                return _failed(error.status, error.detail)
    return _uploaded(info)


async def _store_form(request: web.Request, stack: AsyncExitStack) -> FileInfo:
    check_body(request)
    form = await receive_form(request, stack)
    # What has no file name is a text field, whatever it is called.
    first = next((upload for upload in form.uploads if upload.file_name), None)
    if first is None:
        raise BadRequest(_NO_FILE)
    key = check_key(f"{_folder(request)}{_digits()}-{first.file_name}")
    about(request, key)
    return await first.writer.commit(key, content_type=first.content_type, condition=_NEW)


def _folder(request: web.Request) -> str:
    """Where files go whose names are made here: into the folder that the request is bound to."""
    return grant_of(request).prefix


def _digits() -> str:
    return str(randbits(64))


def _uploaded(info: FileInfo) -> web.Response:
    return _answer(201, "file uploaded", stored_fields(info))


def _failed(status: int, message: str) -> web.Response:
    # Much of the body may not have been read.
    return _answer(status, message, {"Connection": "close"} if status == 413 else {})


def _answer(status: int, message: str, headers: dict[str, str]) -> web.Response:
    document = {"status": status, "msg": message, "ok": status == 201}
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n"
    return web.Response(
        text=text, status=status, headers=headers, content_type="text/plain", charset="utf-8"
    )
