"""Bodies whose length nobody knows: chunked transfer coding (RFC 9112 §7.1) on the wire."""

from collections.abc import Mapping

from penstock.server.wire import Wire


async def send_chunk(wire: Wire, data: bytes) -> None:
    """Send the next bytes of the body; not empty, for an empty chunk would end it."""
    await send_chunk_head(wire, len(data))
    await wire.send(data, more=True)
    await send_chunk_tail(wire)


async def send_chunk_head(wire: Wire, size: int) -> None:
    """Announce a chunk of ``size`` bytes, more than none, which are to be sent next."""
    await wire.send(b"%x\r\n" % size, more=True)


async def send_chunk_tail(wire: Wire) -> None:
    """End the chunk."""
    await wire.send(b"\r\n")


async def send_end(wire: Wire, trailers: Mapping[str, str]) -> None:
    """End the body, with trailer fields (RFC 9110 §6.5)."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in trailers.items())
    await wire.send(f"0\r\n{fields}\r\n".encode("latin-1"))
