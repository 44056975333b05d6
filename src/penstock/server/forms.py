"""``POST /v1/files``: several files in one form, each streamed straight to the store."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from aiohttp import web
from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from penstock.downloads import etag_field
from penstock.errors import BadRequest, TooLarge, UnsupportedMediaType
from penstock.octets.content_types import given_type
from penstock.server.access.actions import about
from penstock.server.access.granted import grant_of
from penstock.server.receiving import body_of, check_body
from penstock.server.services import Services, services_of
from penstock.server.urls import file_json, url_of
from penstock.stores.interface import FileInfo, Writer
from penstock.stores.keys import MAX_KEY_BYTES, check_key

_PLACEHOLDER = "form-upload"


class FormFields(NamedTuple):
    """What the text fields of a form are called."""

    path: str = "path"
    name: str = "name"


_FIELDS = FormFields()


@dataclass(slots=True)
class Upload:
    """One ``file`` part: its bytes are in the writer, its key is known at the end of the form."""

    file_name: str
    content_type: str | None
    writer: Writer


@dataclass(slots=True)
class Form:
    """What has been read of a form."""

    fields: FormFields
    uploads: list[Upload] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def keys(self) -> list[str]:
        """The key of every upload.

        :raises BadRequest: the fields do not fit together.
        """
        if not self.uploads:
            raise BadRequest('the form has no file; send it in a field named "file"')
        if len(self.paths) > 1:
            raise BadRequest('the form has more than one "path"; it counts for all its files')
        if self.names and len(self.names) != len(self.uploads):
            raise BadRequest('send one "name" for each "file", or none')
        folder = self.paths[0].rstrip("/") if self.paths else ""
        names = self.names or [upload.file_name for upload in self.uploads]
        keys = [check_key(f"{folder}/{name}" if folder else name) for name in names]
        if len(set(keys)) != len(keys):
            raise BadRequest("two files of the form have the same key; name them apart")
        return keys


async def post_form(request: web.Request) -> web.Response:
    """``POST /v1/files``: ``multipart/form-data`` with ``file``, ``path`` and ``name`` fields."""
    if check_body(request):
        raise BadRequest("digest fields speak of one file; use PUT to have it verified")
    with services_of(request).traffic:
        async with AsyncExitStack() as stack:
            form = await receive_form(request, stack)
            keys = list(map(grant_of(request).check_key, form.keys()))
            about(request, *keys)
            stored = await _commit(form, keys)
    document = {"files": [file_json(info) for info in stored]}
    return web.json_response(document, status=201, headers=_headers(stored))


def _headers(stored: list[FileInfo]) -> dict[str, str]:
    """Of one file, what a PUT of it would be answered with."""
    if len(stored) > 1:
        return {}
    return {"ETag": etag_field(stored[0].etag), "Location": url_of(stored[0].key)}


def _boundary(request: web.Request) -> str:
    kind, options = parse_options_header(request.headers.get("Content-Type", ""))
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise UnsupportedMediaType(
            'send multipart/form-data with a field "file", or PUT the raw bytes to /v1/files/{key}'
        )
    return str(options["boundary"])


async def receive_form(
    request: web.Request, stack: AsyncExitStack, fields: FormFields = _FIELDS
) -> Form:
    """Read a form to its end; ``stack`` drops every upload that is not committed.

    :raises UnsupportedMediaType: the body is not ``multipart/form-data``.
    :raises BadRequest: it is malformed.
    :raises TooLarge: it is over one of the server's limits.
    """
    services = services_of(request)
    form = Form(fields)
    async with aclosing(_events(request)) as events:
        async for event in events:
            if isinstance(event, MultipartSegment):
                await _take_part(event, events, form, services, stack)
    return form


async def form_text(request: web.Request, name: str, most: int) -> str:
    """The first field of that name in a form without files, empty if there is none.

    :raises UnsupportedMediaType: the body is not ``multipart/form-data``.
    :raises BadRequest: it is malformed.
    :raises TooLarge: it is longer than ``most`` bytes.
    """
    async with aclosing(_events(request)) as events:
        async for event in events:
            if isinstance(event, MultipartSegment) and event.name == name:
                return await _text(name, events, most)
    return ""


Event: TypeAlias = MultipartSegment | bytes | bytearray | None


async def _events(request: web.Request) -> AsyncGenerator[Event, None]:
    """The parts of a form and what is in them, each ended by ``None``."""
    parser = PushMultipartParser(
        _boundary(request),
        content_length=-1 if request.content_length is None else request.content_length,
        max_segment_count=2 * services_of(request).settings.max_form_files + 1,
    )
    try:
        with parser:
            async for data in body_of(request):
                for event in parser.parse(data):
                    yield event
    except ParserLimitReached as error:
        raise TooLarge(f"the form is over a limit: {error}") from None
    except MultipartError as error:
        raise BadRequest(f"the form is malformed or cut short: {error}") from None


async def _take_part(
    part: MultipartSegment,
    events: AsyncIterator[Event],
    form: Form,
    services: Services,
    stack: AsyncExitStack,
) -> None:
    """Read one part to its end; fields that mean nothing here are passed over."""
    if part.name == "file":
        if len(form.uploads) == services.settings.max_form_files:
            raise TooLarge(f"at most {services.settings.max_form_files} files fit in one form")
        writer = await stack.enter_async_context(await services.store.write(_PLACEHOLDER))
        while (data := await _piece(events)) is not None:
            await writer.write(data)
        form.uploads.append(Upload(_base_name(part), given_type(part.content_type), writer))
        return
    text = await _text(part.name or "", events)
    if part.name == form.fields.path:
        form.paths.append(text)
    elif part.name == form.fields.name:
        form.names.append(text)


async def _piece(events: AsyncIterator[Event]) -> bytes | None:
    """The next bytes of the current part; ``None`` at its end."""
    try:
        data = await anext(events)
    except StopAsyncIteration:
        raise BadRequest("the form is cut short; nothing was stored, send it again") from None
    assert not isinstance(data, MultipartSegment)
    return None if data is None else bytes(data)


async def _text(name: str, events: AsyncIterator[Event], most: int = MAX_KEY_BYTES) -> str:
    value = b""
    while (data := await _piece(events)) is not None:
        value += data
        if len(value) > most:
            raise TooLarge(f'the field "{name}" is longer than {most} bytes')
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadRequest(f'the field "{name}" is not UTF-8') from None


def _base_name(part: MultipartSegment) -> str:
    """The client's file name without its folders (RFC 7578 §4.2)."""
    return (part.filename or "").replace("\\", "/").rpartition("/")[2]


async def _commit(form: Form, keys: list[str]) -> list[FileInfo]:
    """Publish every upload, after all keys have been found good."""
    return [
        await upload.writer.commit(key, content_type=upload.content_type)
        for key, upload in zip(keys, form.uploads, strict=True)
    ]
