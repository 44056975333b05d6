"""Run a Python block of a page, which may await at its top level as in ``python -m asyncio``."""

import ast
import asyncio
import inspect
import sys
from pathlib import Path
from types import CodeType, FunctionType


def main(path: str) -> None:
    """Run the program."""
    code = compile(Path(path).read_text(), path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, object] = {"__name__": "__main__"}
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(_awaited(code, names))
    else:
        exec(code, names)


async def _awaited(code: CodeType, names: dict[str, object]) -> None:
    await FunctionType(code, names)()


if __name__ == "__main__":
    main(sys.argv[1])
