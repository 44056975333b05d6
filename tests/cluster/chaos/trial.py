"""Two gateways, six nodes, PostgreSQL, and everything that may happen to one of them at a time."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psycopg

from penstock.catalog import open_database
from tests.cluster.chaos import harms
from tests.cluster.chaos.harms import Harm
from tests.cluster.chaos.history import Key
from tests.cluster.chaos.load import Load
from tests.cluster.chaos.places import Ground, Place, ground
from tests.cluster.chaos.truth import Truth
from tests.serving import RunningServer

NODES = 6
REPLICAS = 2
_SECRET = "the-secret-of-the-trial"
_KEYS = 24
_TASKS = 6
_PATIENCE = 90.0
_GIVEN_UP = 200_000.0
_SETTINGS = {
    "store": "cluster://",
    "cluster_secret": _SECRET,
    "cluster_replicas": REPLICAS,
    "cluster_dead_after": 2,
    "cluster_grace": 1,
    "cluster_scrub_every": 5,
    "cluster_upkeep_rate": "1GiB",
}


class NotMended(AssertionError):
    """What was broken stayed so."""


@dataclass
class Gateway:
    """A server at the same port always, and a session with it."""

    data: Path
    catalog: str
    ground: Ground
    port: int = 0
    server: RunningServer | None = None

    def start(self) -> None:
        self.server = RunningServer(
            self.data,
            self.ground.within,
            catalog=self.catalog,
            host=self.ground.host,
            access="off",
            **{**_SETTINGS, "port": self.port},
        )
        self.port = self.server.port

    def kill(self) -> None:
        if self.server is not None:
            self.server.kill()
            self.server = None

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            f"http://127.0.0.1:{self.port}",
            connector=aiohttp.TCPConnector(limit=0, socket_factory=self.ground.make),
            timeout=aiohttp.ClientTimeout(total=_PATIENCE),
            auto_decompress=False,
        )


@dataclass
class Trial:
    """Everything that takes part; ``suffered`` is what happened, in order. ``session`` is with the
    first gateway, which lives."""

    gateways: Sequence[Gateway]
    session: aiohttp.ClientSession
    places: Sequence[Place]
    truth: Truth
    load: Load
    keys: Sequence[Key]
    ground: Ground
    chance: random.Random
    suffered: list[str] = field(default_factory=list)

    @property
    def told(self) -> str:
        """What happened so far, and what the gateway said of it beside what is usual."""
        logs = [gateway.data.with_name(f"{gateway.data.name}.log") for gateway in self.gateways]
        said = [line for log in logs for line in log.read_text().splitlines()]
        unusual = [line for line in said if '"level": "info"' not in line][-20:]
        return "\n".join((f"{self.suffered}", f"{self.load.done}", *unusual))

    @property
    def harms(self) -> list[Harm]:
        """What can be done to nodes here."""
        found: list[Harm] = [harms.killed, harms.frozen, harms.emptied, harms.flipped]
        if self.ground.disks:
            found.append(harms.filled)
        if self.ground.links:
            found.append(harms.cut_off)
        return found

    async def run(self, rounds: int, operations: int) -> None:
        """Every harm in each of the rounds, while the load goes on; at least so many operations.

        :raises Wrong: an answer was.
        :raises NotMended: a harm was not.
        """
        loading = asyncio.create_task(self.load.run(_TASKS))
        striking = asyncio.create_task(self._strike(rounds, operations))
        try:
            await asyncio.wait({loading, striking}, return_when=asyncio.FIRST_COMPLETED)
            self.load.going = False
            if striking.done():
                striking.result()
            await loading
        finally:
            for task in (loading, striking):
                task.cancel()
            await asyncio.gather(loading, striking, return_exceptions=True)

    async def settle(self) -> None:
        """Have all nodes read again until there is neither too little nor too much on them.

        :raises NotMended: there is still.
        """
        await self._mended()
        await asyncio.to_thread(self.truth.pass_time, _GIVEN_UP)
        for identity in await asyncio.to_thread(lambda: [place.id for place in self.places]):
            async with self.session.post(f"/v1/nodes/{identity}/scrub") as answer:
                assert answer.status == 202, await answer.text()
        await self._until_none(lambda: self.truth.wanting() + self.truth.surplus())

    async def _strike(self, rounds: int, operations: int) -> None:
        await self._reach(operations // 10)  # there is something to lose
        for _ in range(rounds):
            await self._kill_a_gateway()
            for harm in self.chance.sample(self.harms, len(self.harms)):
                place = self.chance.choice(self.places)
                self.suffered.append(f"node {place.number} {harm.__name__}")
                async with harm(place, self.chance):
                    await self.load.read_all(_TASKS)
                    # Sometimes it is dead by then, and its parts are copied elsewhere.
                    await asyncio.sleep(self.chance.choice([0.0, 1.0, 3.0]))
                await self._mended()
        await self._reach(operations)

    async def _kill_a_gateway(self) -> None:
        """The second one, in the middle of what it does; what it leaves the first cleans up."""
        *_, gateway = self.gateways
        self.suffered.append("a gateway killed")
        session = self.load.sessions.pop()
        await asyncio.to_thread(gateway.kill)
        await self.load.read_all(_TASKS)
        await asyncio.to_thread(gateway.start)
        self.load.sessions.append(session)

    @property
    def memory(self) -> int:
        """The most that the first gateway held, in bytes."""
        server = self.gateways[0].server
        assert server is not None
        return server.memory()

    async def _reach(self, operations: int) -> None:
        while self.load.operations < operations:
            await asyncio.sleep(0.1)

    async def _mended(self) -> None:
        await self._live()
        await self._until_none(self.truth.wanting)

    async def _live(self) -> None:
        states: list[str] = []
        async with asyncio.timeout(_PATIENCE):
            while states.count("live") < len(self.places):
                await asyncio.sleep(0.2)
                async with self.session.get("/v1/nodes") as answer:
                    states = [node["state"] for node in (await answer.json())["nodes"]]

    async def _until_none(self, look: Callable[[], list[str]]) -> None:
        deadline = asyncio.get_running_loop().time() + _PATIENCE
        while found := await asyncio.to_thread(look):
            if asyncio.get_running_loop().time() > deadline:
                raise NotMended(f"{len(found)} faults are left: {'; '.join(found[:10])}")
            await asyncio.sleep(0.5)


@asynccontextmanager
async def trial(folder: Path, database: str, seed: int) -> AsyncIterator[Trial]:
    """Started, all nodes live. ``database`` is the URL of an empty one on PostgreSQL."""
    async with AsyncExitStack() as stack:
        made = ground(folder, NODES)
        where = await asyncio.to_thread(made.__enter__)
        stack.push_async_callback(asyncio.to_thread, made.__exit__, None, None, None)
        places = [where.place(number, folder, _SECRET) for number in range(NODES)]
        for place in places:
            stack.push_async_callback(asyncio.to_thread, place.kill)
        catalog = await asyncio.to_thread(_by_socket, database)
        gateways = [Gateway(folder / f"gateway{number}", catalog, where) for number in range(2)]
        for gateway in gateways:
            stack.push_async_callback(asyncio.to_thread, gateway.kill)
            await asyncio.to_thread(gateway.start)
        for place in places:
            place.locator = ",".join(where.locator(place, one.port) for one in gateways)
            await asyncio.to_thread(place.start)
        engine = await asyncio.to_thread(open_database, catalog)
        stack.push_async_callback(asyncio.to_thread, engine.dispose)
        sessions = [await stack.enter_async_context(one.session()) for one in gateways]
        keys = [Key(f"chaos/{number}") for number in range(_KEYS)]
        begun = Trial(
            gateways,
            sessions[0],
            places,
            Truth(engine, places, REPLICAS),
            Load(sessions, keys, seed),
            keys,
            where,
            random.Random(seed),
        )
        await begun._live()
        yield begun


def _by_socket(url: str) -> str:
    """The same database by the server's socket in the file system, which every host of this
    machine reaches."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute("SHOW unix_socket_directories").fetchone()
        assert row is not None
        place, name = connection.info.port, connection.info.dbname
        return f"postgresql+psycopg://penstock@/{name}?host={row[0]}&port={place}"
