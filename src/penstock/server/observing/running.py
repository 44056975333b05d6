"""Programs that make profiles, run for as long as somebody waits for them."""

import asyncio
import signal
from collections.abc import Sequence
from typing import NamedTuple


class Ended(NamedTuple):
    """How a program ended, and the last of what it said."""

    code: int
    said: str


async def run_program(words: Sequence[str], seconds: float) -> Ended:
    """Run a program; it is ended when the caller is cancelled, or the seconds are over."""
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            _, said = await process.communicate()
    except TimeoutError:
        return Ended(-signal.SIGKILL, "it took too long")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ended(process.returncode, said[-2000:].decode(errors="replace"))
