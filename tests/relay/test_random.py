"""Whatever the upstream does, a caller gets bytes of one version, or knows that it did not."""

import asyncio
import random
from collections.abc import Callable

import aiohttp
import pytest

from tests.faults import Fault, Source, cut, reset, status, throttle
from tests.relay.conftest import Caller, StartRelay

KEY = "/v1/files/film"
SIZE = 700_000
ROUNDS = 20
CALLERS = 6


class World:
    """An upstream whose file changes, and everything that it has been."""

    def __init__(self, source: Source, dice: random.Random) -> None:
        self._source = source
        self._dice = dice
        self.versions: dict[str, bytes] = {}
        self.change()

    def change(self) -> None:
        tag = f'"v{len(self.versions)}"'
        # The same length now and then: nothing but the tag tells them apart.
        self.versions[tag] = self._dice.randbytes(self._dice.choice([SIZE, SIZE, SIZE + 1, 70_000]))
        self._source.serve(KEY, self.versions[tag], etag=tag, always=throttle(6 << 20))

    def trouble(self) -> None:
        kinds: list[Callable[[], Fault]] = [
            lambda: cut(self._dice.randrange(SIZE)),
            lambda: reset(self._dice.randrange(SIZE)),
            lambda: status(503),
        ]
        faults = self._source.files[KEY].faults
        faults += [self._dice.choice(kinds)() for _ in range(self._dice.randrange(1, 4))]


async def called(relay: Caller, dice: random.Random, world: World) -> str:
    """One caller; answers how it ended."""
    first, leaves = dice.randrange(60_000), dice.random() < 0.2
    asked = dice.choice(["", f"bytes={first}-{first + 9_999}", f"bytes={first}-", "bytes=-5000"])
    await asyncio.sleep(dice.random() * 0.1)
    try:
        async with relay.session.get(KEY, headers={"Range": asked} if asked else {}) as response:
            if response.status >= 400:
                return "refused"
            if leaves:
                await response.content.read(1000)
                response.close()
                return "left"
            body = await response.read()
    except aiohttp.ClientError:
        return "cut"
    whole = world.versions[response.headers["ETag"]]
    if response.status == 200:
        assert body == whole
    else:
        told = response.headers["Content-Range"].removeprefix("bytes ").partition("/")[0]
        start, last = map(int, told.split("-"))
        assert body == whole[start : last + 1]
    return "right"


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_caller_is_sent_bytes_of_two_versions(
    source: Source, start_relay: StartRelay, seed: int
) -> None:
    dice = random.Random(seed)
    world = World(source, dice)
    relay = await start_relay(source.url, tries=3, cache_size=2 * SIZE, parallel=2)
    ends = []

    for _ in range(ROUNDS):
        callers = [asyncio.create_task(called(relay, dice, world)) for _ in range(CALLERS)]
        await asyncio.sleep(dice.random() * 0.1)
        for step in dice.sample([world.change, world.trouble], dice.randrange(3)):
            step()
        ends += await asyncio.gather(*callers)

    source.serve(KEY, b"at rest", etag='"rest"')
    assert await relay.get(KEY) == b"at rest"
    assert ends.count("right") > ROUNDS
