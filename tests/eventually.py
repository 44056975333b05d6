"""Waiting for what must come true, without saying when."""

import asyncio
from collections.abc import Callable


async def eventually(holds: Callable[[], bool]) -> bool:
    """Whether ``holds`` becomes true within five seconds."""
    for _ in range(250):
        if holds():
            return True
        await asyncio.sleep(0.02)
    return False
