"""Waiting for what must come true, without saying when."""

import asyncio
from collections.abc import Callable


async def eventually(holds: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Whether ``holds`` becomes true within so many seconds."""
    for _ in range(int(seconds / 0.02)):
        if holds():
            return True
        await asyncio.sleep(0.02)
    return False
