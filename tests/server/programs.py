"""Other people's programs, run beside the test's own event loop."""

import asyncio
import shutil
from pathlib import Path

import pytest


async def run(program: str, *words: str | bytes | Path, stdin: bytes = b"") -> bytes:
    """What ``program`` prints; it must end well. Skips the test where it is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    process = await asyncio.create_subprocess_exec(
        program,
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate(stdin)
    assert process.returncode == 0, error.decode()
    return out


async def curl(*words: str | bytes | Path, stdin: bytes = b"") -> tuple[str, bytes]:
    """The head of the last answer, with line ends of ``\\n``, and its body."""
    out = await run("curl", "-sS", "-i", "-m", "60", *words, stdin=stdin)
    head, _, body = out.rpartition(b"\r\n\r\n")
    return head.rpartition(b"\r\n\r\n")[2].decode().replace("\r\n", "\n"), body
