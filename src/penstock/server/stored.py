"""The answer that tells of a stored file, whichever way its bytes came."""

from aiohttp import web

from penstock.downloads import etag_field
from penstock.octets.digests import digest_field
from penstock.server.urls import file_json, url_of
from penstock.stores.interface import FileInfo


def stored_answer(info: FileInfo, *, replaced: bool, with_digest: bool = False) -> web.Response:
    """What a PUT of the whole file answers; 200 if there was one before, else 201."""
    headers = {"ETag": etag_field(info.etag), "Location": url_of(info.key)}
    if with_digest and info.sha256 is not None:
        headers["Repr-Digest"] = digest_field(info.sha256)
    status = 200 if replaced else 201
    return web.json_response(file_json(info), status=status, headers=headers)
