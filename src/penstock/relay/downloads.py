"""``/download/{name}``, as the client service of file_upload has it: the file comes into the
relay's folder, and the answer says so. As there, HEAD does the same."""

from aiohttp import web

from penstock.errors import BadRequest, PenstockError
from penstock.relay.context import RELAY
from penstock.server.compat.file_upload import failed, name_in
from penstock.server.serving import serving_of

_PARTS = (".part", ".part.json", ".part.json.new")


async def download(request: web.Request) -> web.Response:
    """``GET`` and ``HEAD /download/{name}``."""
    with serving_of(request).traffic:
        try:
            name = name_in(request)
            if name.endswith(_PARTS):  # where the bytes of another file may be on their way
                raise BadRequest("Bad Request")
            came = await request.app[RELAY].bringing.bring(name)
        except PenstockError as error:
            return failed(error)
    return web.Response(text="Download complete" if came else "File already downloaded")
