"""However the connection breaks, the file is whole and of one version, or it is not there."""

import itertools
import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.client import Client
from penstock.errors import PenstockError
from tests.client.proxy import proxy_to
from tests.serving import RunningServer

SIZE = 300_000

cuts = st.lists(st.integers(0, SIZE + 1000), max_size=4)
runs = st.lists(st.tuples(cuts, st.booleans()), min_size=1, max_size=3)
numbers = itertools.count()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(runs=runs)
async def test_random_cuts_and_changes(
    server: RunningServer, runs: list[tuple[list[int], bool]]
) -> None:
    """Each run is a command that gives up early; before some of them the source changes."""
    key = f"cuts/{next(numbers)}"
    versions = [os.urandom(SIZE)]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        async with proxy_to(server.url) as proxy, Client(server.url) as steady:
            source.write_bytes(versions[-1])
            await steady.put(source, key)
            for answers, changes in runs:
                if changes:
                    versions.append(os.urandom(SIZE - len(answers)))
                    source.write_bytes(versions[-1])
                    await steady.put(source, key)
                proxy.cut_answers = list(answers)
                await try_once(proxy.url, key, target)
                assert not target.exists() or target.read_bytes() in versions
            proxy.cut_answers = []
            await try_once(proxy.url, key, target)

        assert target.read_bytes() == versions[-1]
        assert sorted(os.listdir(folder)) == ["source", "target"]


async def try_once(url: str, key: str, target: Path) -> None:
    """A get that may fail, but only in a way that another try can mend."""
    async with Client(url, tries=2) as client:
        try:
            await client.get(key, target)
        except PenstockError as error:
            if not error.retryable:
                raise
