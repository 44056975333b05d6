"""A ZIP as the body of a response, in any web framework: give a plan and a way to read.

``read(index, start, stop)`` gives the bytes ``start`` ≤ byte < ``stop`` of the member that was
entered as ``index``, in pieces of any length; ``stop`` is ``None`` where the size is not known.
It is called for one member after the other, and what it returns is closed if it can be.

If the source has other bytes than planned SourceChanged is raised before the ZIP is complete: end
the connection then, so that nobody takes the rest for the whole.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import partial

from penstock.zipstream.deflate import Engine
from penstock.zipstream.learned import Learned
from penstock.zipstream.parts import Piece, exact_parts, written_parts
from penstock.zipstream.plan import Plan

Read = Callable[[int, int, int | None], Iterable[bytes]]
AsyncRead = Callable[[int, int, int | None], AsyncIterable[bytes]]
Run = Callable[[Callable[[], bytes]], Awaitable[bytes]]
"""Calls a function somewhere else, as ``asyncio.to_thread`` does."""


def zip_headers(plan: Plan) -> dict[str, str]:
    """Header fields for the whole ZIP: its type and, unless the plan is open, length and ETag."""
    fields = {"Content-Type": "application/zip"}
    if plan.size is not None:
        fields |= {"Content-Length": str(plan.size), "ETag": f'"{plan.etag}"'}
    return fields


def iter_zip(
    plan: Plan,
    read: Read,
    start: int = 0,
    stop: int | None = None,
    *,
    learned: Learned | None = None,
    compress: str = Engine.FAST,
) -> Iterator[bytes]:
    """The bytes ``start`` to ``stop`` of the ZIP; of an open plan only the whole.

    ``compress`` says how the entries are deflated that ask for it: "fast" or "best". ``learned``
    remembers CRC-32s for later requests of the same plan. Raises ValueError at once if the stretch
    cannot be sent: it is not within the ZIP, the plan is open, or what lies before it was never
    sent with the same ``learned``.
    """
    return _read_all(_parts(plan, learned, compress, start, stop), read)


def aiter_zip(
    plan: Plan,
    read: AsyncRead,
    start: int = 0,
    stop: int | None = None,
    *,
    learned: Learned | None = None,
    compress: str = Engine.FAST,
    run: Run | None = None,
) -> AsyncIterator[bytes]:
    """As `iter_zip`, where reading is awaited.

    Deflating 1 MiB takes 3 to 20 ms of the loop's time; ``run=asyncio.to_thread`` has it done by a
    thread.
    """
    return _await_all(_parts(plan, learned, compress, start, stop), read, run)


def _parts(
    plan: Plan, learned: Learned | None, compress: str, start: int, stop: int | None
) -> Iterator[Piece]:
    engine = Engine(compress)
    if plan.size is None:
        if start or stop is not None:
            raise ValueError("a ZIP with deflated members or unknown sizes has no stretches")
        return written_parts(plan, engine)
    stop = plan.size if stop is None else stop
    if not 0 <= start <= stop <= plan.size:
        raise ValueError(f"bytes {start} to {stop} are not within a ZIP of {plan.size} bytes")
    learned = learned or Learned(plan)
    if not learned.covers(start):
        raise ValueError(f"what lies before byte {start} was not sent yet; send the whole ZIP")
    return exact_parts(plan, learned, start, stop)


def _read_all(parts: Iterator[Piece], read: Read) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        source = read(part.index, part.first, part.last)
        try:
            for data in source:
                if done := part.take(data):
                    yield done
        finally:
            if close := getattr(source, "close", None):
                close()
        if rest := part.end():
            yield rest


async def _await_all(
    parts: Iterator[Piece], read: AsyncRead, run: Run | None
) -> AsyncIterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        source = read(part.index, part.first, part.last)
        try:
            async for data in source:
                take = partial(part.take, data)
                if done := await run(take) if run and part.is_long(data) else take():
                    yield done
        finally:
            if close := getattr(source, "aclose", None):
                await close()
        if rest := await run(part.end) if run and part.is_long(None) else part.end():
            yield rest
