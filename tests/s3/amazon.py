"""What Amazon S3 does with CRC-32s, and none of the servers here: a front that stands for it.

As its documentation has it, an upload that was created with ``x-amz-checksum-algorithm: CRC32``
tells the CRC-32 of each part, of those it copies too (``CopyPartResult``, ``ListParts``), and holds
CompleteMultipartUpload to the CRC-32 of the whole and to its size.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyPartResult.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
"""

import re
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from aiohttp import web
from isal.isal_zlib import crc32, crc32_combine

from tests.s3.front import COMPLETE, COPY, CREATE, LIST_PARTS, SENT, Exchange, Front, as_answer
from tests.s3.servers import S3Server
from tests.s3.uploads import calls_to

_MANY = 1000


class _Part(NamedTuple):
    crc32: int
    size: int


class Amazon:
    """Answers through a front as Amazon does. ``held_to`` are the CRC-32s that it held files to."""

    def __init__(self, server: S3Server, front: Front) -> None:
        self._server = server
        self._parts: dict[str, dict[int, _Part]] = {}
        self.held_to: list[int] = []
        self.created = 0
        front.wrong(CREATE, self._create, _MANY)
        front.wrong(COPY, self._copy, _MANY)
        front.wrong(SENT, self._take, _MANY)
        front.wrong(LIST_PARTS, self._list, _MANY)
        front.wrong(COMPLETE, self._complete, _MANY)

    async def _create(self, exchange: Exchange) -> web.StreamResponse:
        assert exchange.request.headers["x-amz-checksum-algorithm"] == "CRC32"
        assert exchange.request.headers["x-amz-checksum-type"] == "FULL_OBJECT"
        self.created += 1
        return as_answer(exchange.request, *await exchange.passed())

    async def _take(self, exchange: Exchange) -> web.StreamResponse:
        body = await exchange.request.content.read()
        value = crc32(body)
        assert exchange.request.headers["x-amz-checksum-crc32"] == _field(value)
        self._keep(exchange, value, len(body))
        return as_answer(exchange.request, *await exchange.passed(body))

    async def _copy(self, exchange: Exchange) -> web.StreamResponse:
        status, headers, body = await exchange.passed()
        if b"<CopyPartResult" in body:
            data = await self._source(exchange)
            value = crc32(data)
            self._keep(exchange, value, len(data))
            told = f"<ChecksumCRC32>{_field(value)}</ChecksumCRC32></CopyPartResult>"
            body = body.replace(b"</CopyPartResult>", told.encode())
        return as_answer(exchange.request, status, _without_length(headers), body)

    async def _list(self, exchange: Exchange) -> web.StreamResponse:
        status, headers, body = await exchange.passed()
        parts = self._of(exchange)

        def with_crc32(found: "re.Match[str]") -> str:
            number = re.search(r"<PartNumber>(\d+)<", found[0])
            assert number is not None
            value = _field(parts[int(number[1])].crc32)
            return found[0].replace("</Part>", f"<ChecksumCRC32>{value}</ChecksumCRC32></Part>")

        text = re.sub(r"<Part>.*?</Part>", with_crc32, body.decode(), flags=re.DOTALL)
        return as_answer(exchange.request, status, _without_length(headers), text.encode())

    async def _complete(self, exchange: Exchange) -> web.StreamResponse:
        value = size = 0
        for _, part in sorted(self._of(exchange).items()):
            value = crc32_combine(value, part.crc32, part.size)
            size += part.size
        fields = exchange.request.headers
        assert fields["x-amz-checksum-type"] == "FULL_OBJECT"
        if fields["x-amz-mp-object-size"] != str(size):
            return _refused("InvalidRequest")
        if "x-amz-checksum-crc32" in fields:
            if fields["x-amz-checksum-crc32"] != _field(value):
                return _refused("BadDigest")
            self.held_to.append(value)
        body = await exchange.request.content.read()
        # The server behind does not know those of copies; its length stays.
        body = re.sub(rb"<ChecksumCRC32>.*?</ChecksumCRC32>", lambda m: b" " * len(m[0]), body)
        return as_answer(exchange.request, *await exchange.passed(body))

    def _of(self, exchange: Exchange) -> dict[int, _Part]:
        query = parse_qs(urlsplit(exchange.request.raw_path).query)
        return self._parts.setdefault(query["uploadId"][0], {})

    def _keep(self, exchange: Exchange, value: int, size: int) -> None:
        query = parse_qs(urlsplit(exchange.request.raw_path).query)
        self._of(exchange)[int(query["partNumber"][0])] = _Part(value, size)

    async def _source(self, exchange: Exchange) -> bytes:
        """What was copied."""
        headers = exchange.request.headers
        name = unquote(headers["x-amz-copy-source"]).partition("/")[2]
        async with calls_to(self._server) as calls:
            data = await calls.get(name)
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("x-amz-copy-source-range", ""))
        return data if span is None else data[int(span[1]) : int(span[2]) + 1]


def _without_length(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "content-length"}


def _refused(code: str) -> web.Response:
    text = f"<Error><Code>{code}</Code><Message>by the test</Message></Error>"
    return web.Response(status=400, text=text, content_type="application/xml")


def _field(value: int) -> str:
    return b64encode(value.to_bytes(4, "big")).decode()
