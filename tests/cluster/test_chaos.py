"""Nodes are killed, frozen, emptied, filled up, cut off, their files changed, a gateway is killed.

``PENSTOCK_TEST_CHAOS=N`` goes through all of it N times, with N times as many operations;
``PENSTOCK_TEST_CHAOS_SEED`` repeats a trial as far as chance decides.
"""

import asyncio
import os
import random
import secrets
from pathlib import Path

import psycopg
import pytest

from tests.cluster.chaos.trial import trial

_ROUNDS = int(os.environ.get("PENSTOCK_TEST_CHAOS", "1"))
_SEED = int(os.environ.get("PENSTOCK_TEST_CHAOS_SEED", "0")) or random.SystemRandom().getrandbits(
    32
)
_OPERATIONS = 200
_MOST_MEMORY = 400 << 20


def _new_database(server: str) -> str:
    name = f"chaos_{secrets.token_hex(4)}"
    with psycopg.connect(server.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.rpartition("/")[0] + f"/{name}"


@pytest.mark.slow
@pytest.mark.timeout(300 * _ROUNDS)
async def test_no_byte_is_wrong_and_no_file_lost_whatever_happens_to_one_of_them(
    tmp_path: Path, postgres: str
) -> None:
    database = await asyncio.to_thread(_new_database, postgres)
    async with trial(tmp_path, database, _SEED) as begun:
        try:
            await begun.run(_ROUNDS, _OPERATIONS * _ROUNDS)
            await begun.settle()
            for key in begun.keys:
                await begun.load.check(key)
        except (AssertionError, ExceptionGroup, TimeoutError) as error:
            raise AssertionError(f"PENSTOCK_TEST_CHAOS_SEED={_SEED}: {begun.told}") from error

        assert begun.load.operations >= _OPERATIONS * _ROUNDS
        # There is always another copy.
        assert begun.load.failed_reads < 0.15, begun.told
        assert begun.memory < _MOST_MEMORY
        missing = begun.ground.missing
    if missing:
        pytest.skip(f"the rest was well, but {'; '.join(missing)}")
