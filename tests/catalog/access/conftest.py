from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Engine

from penstock.catalog import GroupCommit


@pytest.fixture
async def commits(engine: Engine) -> AsyncIterator[GroupCommit]:
    opened = GroupCommit(engine)
    yield opened
    await opened.close()
