"""What the audit log calls that which a route does."""

from typing import Final

from aiohttp import web

SUBJECT = web.RequestKey("subject", str)
"""What a request does something to, such as a key; a handler notes it if the path does not say."""
METHOD = web.RequestKey("method", str)
"""The method that a request is handled as, if that is another one than it has."""

_CHANGES: Final = {
    ("PUT", "/v1/files/{key}"): "file.put",
    ("DELETE", "/v1/files/{key}"): "file.remove",
    ("POST", "/v1/files"): "file.put",
    ("POST", "/v1/uploads"): "upload.begin",
    ("DELETE", "/v1/uploads/{id}"): "upload.cancel",
    ("POST", "/v1/zips"): "zip.link",
    ("POST", "/v1/pulls"): "pull.begin",
    ("DELETE", "/v1/pulls/{id}"): "pull.cancel",
    ("POST", "/v1/pulls/{id}/retry"): "pull.retry",
    ("DELETE", "/v1/jobs/{id}"): "job.cancel",
    ("POST", "/v1/jobs/{id}/retry"): "job.retry",
    ("PUT", "/v1/lanes/{name}"): "lane.change",
    ("POST", "/v1/archives"): "archive.begin",
    ("DELETE", "/v1/archives/{id}"): "archive.cancel",
    ("POST", "/v1/archives/{id}/retry"): "archive.retry",
    ("POST", "/v1/nodes/{id}/drain"): "node.drain",
    ("POST", "/v1/nodes/{id}/scrub"): "node.scrub",
    ("DELETE", "/v1/nodes/{id}"): "node.remove",
    ("POST", "/s3/multipart"): "upload.begin",
    ("POST", "/s3/multipart/{uploadId}/complete"): "file.put",
    ("DELETE", "/s3/multipart/{uploadId}"): "upload.cancel",
    ("GET", "/s3/params"): "upload.begin",
    ("POST", "/api/upload"): "file.put",
    ("POST", "/stream-upload"): "file.put",
    ("PUT", "/stream-upload"): "file.put",
    ("POST", "/file-upload"): "file.put",
    ("PUT", "/file-upload"): "file.put",
    ("POST", "/upload"): "file.put",
    ("POST", "/create-job"): "archive.begin",
}

_DOWNLOADS: Final = {
    ("GET", "/v1/files/{key}"): "file.get",
    ("GET", "/files/{name}"): "file.get",
    ("GET", "/download/{name}"): "file.get",
    ("GET", "/v1/zip"): "zip.get",
    ("POST", "/v1/zip"): "zip.get",
    ("GET", "/v1/zips/{id}"): "zip.get",
    ("POST", "/api/download"): "zip.get",
}


def about(request: web.Request, *names: str) -> None:
    """Note what a request does something to, for the audit log."""
    request[SUBJECT] = ", ".join(names)


def action_of(request: web.Request, response: web.StreamResponse | None) -> str | None:
    """What ``request`` did, if that is noted.

    Of a download only the first bytes are, so that one in many pieces is one line.
    """
    resource = request.match_info.route.resource
    if resource is None:
        return None
    route = request.get(METHOD, request.method), resource.canonical
    action = _CHANGES.get(route)
    if action is None and response is not None and _has_first_byte(response):
        action = _DOWNLOADS.get(route)
    return action


def _has_first_byte(response: web.StreamResponse) -> bool:
    if response.status == 206:
        return response.headers.get("Content-Range", "bytes 0-").startswith("bytes 0-")
    return response.status == 200


def subject_of(request: web.Request, response: web.StreamResponse | None) -> str:
    """What it did that to: what the handler notes, else what the path names, else what came of
    it."""
    if SUBJECT in request:
        return request[SUBJECT]
    if request.match_info:
        return "/".join(request.match_info.values())
    if response is not None and "Location" in response.headers:
        return response.headers["Location"]
    return request.query.get("key") or request.query.get("prefix") or ""
