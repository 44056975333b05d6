"""Changes that are committed together."""

import asyncio
import time

import pytest
from sqlalchemy import Engine

from penstock.catalog import GroupCommit


@pytest.mark.parametrize("head_start", [0.0, 0.05])
def test_a_loop_that_is_torn_down_ends_whoever_waits(engine: Engine, head_start: float) -> None:
    commits = GroupCommit(engine)

    async def crash() -> None:
        waiting = [
            asyncio.create_task(commits.run(lambda connection: time.sleep(0.2))) for _ in range(2)
        ]
        await asyncio.sleep(head_start)
        raise RuntimeError(f"{len(waiting)} wait")

    with pytest.raises(RuntimeError, match="2 wait"):
        asyncio.run(crash())
    asyncio.run(commits.close())
