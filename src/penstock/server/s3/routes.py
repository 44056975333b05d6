"""``/s3``: what Uppy's plugin for S3 asks of a Companion (https://uppy.io/docs/aws-s3).

The bytes go from the browser to S3; here links are signed, and uploads begun and ended.
"""

from typing import Final
from urllib.parse import unquote

from aiohttp import web

from penstock.downloads import etag_field
from penstock.errors import BadRequest, NotFound
from penstock.server.access.actions import about
from penstock.server.access.granted import grant_of
from penstock.server.json_body import json_body
from penstock.server.s3.asked import NewFile, chosen_parts, part_number, part_numbers
from penstock.server.services import services_of
from penstock.server.urls import origin_of, url_of
from penstock.stores.direct import DirectUploads, Presigns, TakesDirectUploads
from penstock.stores.keys import check_key

_EXPIRES: Final = 3600
"""Seconds a link is good for, which is how long one part may take."""
_MOST_BEGIN: Final = 64 << 10
_MOST_COMPLETE: Final = 2 << 20
_NO_STORE: Final = {"Cache-Control": "no-store"}


async def begin(request: web.Request) -> web.Response:
    """``POST /s3/multipart``: begin an upload in parts."""
    direct = _direct(request)
    new = NewFile.from_json(await json_body(request, _MOST_BEGIN))
    about(request, new.key)
    grant_of(request).check_key(new.key)
    upload = await direct.begin(new.key, new.content_type, new.metadata)
    return _answer({"key": new.key, "uploadId": upload})


async def list_parts(request: web.Request) -> web.Response:
    """``GET /s3/multipart/{uploadId}``: which parts came."""
    parts = await _direct(request).parts(_key(request), _upload(request))
    return _answer(
        [
            {"PartNumber": part.number, "ETag": etag_field(part.etag), "Size": part.size}
            for part in parts
        ]
    )


async def sign_part(request: web.Request) -> web.Response:
    """``GET /s3/multipart/{uploadId}/{partNumber}``: where one part may be put."""
    direct = _direct(request)
    number = part_number(request.match_info["partNumber"], direct.most_parts)
    urls = await direct.part_urls(_key(request), _upload(request), [number], _EXPIRES)
    return _answer({"url": urls[0], "expires": _EXPIRES})


async def sign_parts(request: web.Request) -> web.Response:
    """``GET /s3/multipart/{uploadId}/batch``: where several parts may be put."""
    direct = _direct(request)
    numbers = part_numbers(request.query.get("partNumbers", ""), direct.most_parts)
    urls = await direct.part_urls(_key(request), _upload(request), numbers, _EXPIRES)
    signed = {str(number): url for number, url in zip(numbers, urls, strict=True)}
    return _answer({"presignedUrls": signed, "expires": _EXPIRES})


async def complete(request: web.Request) -> web.Response:
    """``POST /s3/multipart/{uploadId}/complete``: make a file of the parts."""
    direct, key = _direct(request), _key(request)
    parts = chosen_parts(await json_body(request, _MOST_COMPLETE), direct.most_parts)
    most = int(services_of(request).settings.max_body)
    await direct.complete(key, _upload(request), parts, most)
    return _answer({"location": _location(request, key), "key": key})


async def abort(request: web.Request) -> web.Response:
    """``DELETE /s3/multipart/{uploadId}``: end an upload, and drop what came."""
    await _direct(request).abort(_key(request), _upload(request))
    return _answer({})


async def sign_form(request: web.Request) -> web.Response:
    """``GET /s3/params``: where a file may be posted as a form.

    Where S3 takes none, that is to this server, whose forms are named likewise.
    """
    new = NewFile.from_query(request.query.items())
    about(request, new.key)
    grant_of(request).check_key(new.key)
    most = int(services_of(request).settings.max_body)
    form = await _direct(request).form(new.key, new.content_type, new.metadata, most, _EXPIRES)
    url, fields = form or (f"{origin_of(request)}/v1/files", {"key": new.key, "name": new.key})
    return _answer({"method": "POST", "url": url, "fields": dict(fields), "expires": _EXPIRES})


def _direct(request: web.Request) -> DirectUploads:
    store = services_of(request).store
    if not isinstance(store, TakesDirectUploads):
        raise NotFound("this server's files are not in S3; send them to /v1/uploads or /v1/files")
    return store.direct


def _key(request: web.Request) -> str:
    key = request.query.get("key")
    if key is None:
        raise BadRequest("name the file by the parameter key, as the answer did that began it")
    about(request, key)
    return grant_of(request).check_key(check_key(key))


def _upload(request: web.Request) -> str:
    # As it stands in the path: what aiohttp decodes leaves some characters encoded.
    return unquote(request.rel_url.raw_path.split("/")[3], errors="replace")


def _location(request: web.Request, key: str) -> str:
    store = services_of(request).store
    return (
        store.direct_url(key) if isinstance(store, Presigns) else origin_of(request) + url_of(key)
    )


def _answer(document: object) -> web.Response:
    return web.json_response(document, headers=_NO_STORE)
