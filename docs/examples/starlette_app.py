"""Reports that are made while they are sent, deflated: neither size nor CRC-32 is known."""

import asyncio
import time
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from penstock.zipstream import Entry, aiter_zip, plan_zip, zip_headers

MONTHS = ["2024-01.csv", "2024-02.csv", "2024-03.csv"]


async def rows(month: str) -> AsyncIterator[bytes]:
    """Stands for a query whose rows come one by one."""
    for number in range(50_000):
        yield f"{month},{number},{number * 37 % 1000}\n".encode()


async def reports(request: Request) -> StreamingResponse:
    now = int(time.time())
    plan = plan_zip(Entry(name, None, None, now, deflate=True) for name in MONTHS)
    body = aiter_zip(plan, lambda index, start, stop: rows(MONTHS[index]), run=asyncio.to_thread)
    return StreamingResponse(body, headers=zip_headers(plan))


app = Starlette(routes=[Route("/reports.zip", reports)])
