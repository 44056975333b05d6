"""Attachments whose size and CRC-32 were noted when they were stored: the plainest ZIP."""

from collections.abc import Iterator
from typing import NamedTuple

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path

from penstock.zipstream import Entry, iter_zip, plan_zip, zip_headers


class Attachment(NamedTuple):
    """Stands for a row of the database."""

    name: str
    size: int
    crc32: int
    modified: int
    file: str


ATTACHMENTS: list[Attachment] = []


def attachments(request: HttpRequest) -> StreamingHttpResponse:
    chosen = list(ATTACHMENTS)

    def read(index: int, start: int, stop: int) -> Iterator[bytes]:
        with open(chosen[index].file, "rb") as file:
            file.seek(start)
            while data := file.read(min(1 << 20, stop - start)):
                start += len(data)
                yield data

    plan = plan_zip(Entry(a.name, a.size, a.crc32, a.modified) for a in chosen)
    return StreamingHttpResponse(iter_zip(plan, read), headers=zip_headers(plan))


urlpatterns = [path("attachments.zip", attachments)]
