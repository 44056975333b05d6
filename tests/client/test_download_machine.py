"""Whatever happens to client, server, source and network: a download is never wrong, never mixed.

``PENSTOCK_EXAMPLES=500 pytest tests/client/test_download_machine.py --timeout 3600`` looks longer.
"""

import asyncio
import http.client
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from penstock.errors import Exit
from tests.client.killable import Killable
from tests.client.proxy import Proxy, proxy_to
from tests.conftest import StartServer
from tests.serving import RunningServer

EXAMPLES = int(os.environ.get("PENSTOCK_EXAMPLES", "8"))
STEPS = 8
LARGEST = 300_001
RATE = 3e6
"""Bytes per second of one connection: slow enough to be killed on the way."""

SIZES = st.sampled_from([0, 1, 65_536, 200_000, LARGEST])
PLACES = st.integers(0, LARGEST + 3000)
BUSY = b"HTTP/1.1 %d Not now\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
REFUSALS = st.sampled_from([b"", *(BUSY % status for status in (429, 500, 502, 503))])
WAYS = st.sampled_from(
    [
        (),
        ("--range-size", "16K"),
        ("--range-size", "50000", "--parallel", "2"),
        ("--range-size", "64K", "--parallel", "1"),
    ]
)


@dataclass(frozen=True)
class Version:
    """What the source once was."""

    etag: str
    content: bytes


class Place:
    """A server that can be killed and started again, and a proxy before it."""

    def __init__(self, folder: Path, start: Callable[[int], RunningServer]) -> None:
        self.folder = folder
        self._start = start
        self.server = start(0)
        self.keys = map("machine/{}".format, count())

    def restart(self) -> None:
        port = self.server.port
        self.server.kill()
        self.server = self._start(port)

    def put(self, key: str, content: bytes) -> Version:
        """Make it the source's content, by a way that nothing goes wrong on."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        with closing(connection):
            connection.request("PUT", f"/v1/files/{key}", content)
            response = connection.getresponse()
            response.read()
        assert response.status in (200, 201)
        return Version(response.headers["ETag"], content)


class Machine(RuleBasedStateMachine):
    """Changes the source, and runs the command that fetches it with something going wrong."""

    place: Place
    proxy: Proxy

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.place.folder))
        self.target = self.folder / "target"
        self.log = self.folder.with_suffix(".log")
        self.key = next(self.place.keys)
        self.versions: list[Version] = []
        self.whole: bytes | None = None
        """What is at the target's place, if all is well."""

    @initialize(size=SIZES, old=st.none() | st.just(b"the old file"))
    def begin(self, size: int, old: bytes | None) -> None:
        self.become(size)
        if old is not None:
            self.target.write_bytes(old)
        self.whole = old

    def become(self, size: int) -> None:
        content = random.Random(len(self.versions)).randbytes(size)
        self.versions.append(self.place.put(self.key, content))

    @rule(size=SIZES)
    def change(self, size: int) -> None:
        self.become(size)

    @rule(
        ways=WAYS,
        digests=st.booleans(),
        cuts=st.lists(PLACES, max_size=4),
        stalls=st.lists(PLACES, max_size=1),
        refusals=st.lists(REFUSALS, max_size=4),
    )
    def fetch_with_trouble(
        self,
        ways: tuple[str, ...],
        digests: bool,
        cuts: list[int],
        stalls: list[int],
        refusals: list[bytes],
    ) -> None:
        self.proxy.digests = digests
        self.proxy.cut_answers, self.proxy.stall_answers = list(cuts), list(stalls)
        self.proxy.refusals = list(refusals)
        self.come_to_an_end(self.start(ways), len(self.versions) - 1)

    @rule(ways=WAYS, digests=st.booleans(), at=PLACES, pause=st.floats(0, 0.03))
    def fetch_and_kill_the_client(
        self, ways: tuple[str, ...], digests: bool, at: int, pause: float
    ) -> None:
        self.proxy.digests = digests
        client = self.start(ways)
        self.wait_for(client, at)
        time.sleep(pause)
        client.kill()
        self.come_to_an_end(client, len(self.versions) - 1)

    @rule(ways=WAYS, digests=st.booleans(), at=PLACES, size=SIZES)
    def fetch_while_the_source_changes(
        self, ways: tuple[str, ...], digests: bool, at: int, size: int
    ) -> None:
        self.proxy.digests = digests
        client = self.start(ways)
        self.wait_for(client, at)
        since = len(self.versions) - 1
        self.become(size)
        self.come_to_an_end(client, since)

    @rule(ways=WAYS, at=PLACES)
    def fetch_while_the_server_is_killed(self, ways: tuple[str, ...], at: int) -> None:
        client = self.start(ways)
        self.wait_for(client, at)
        self.place.restart()
        self.come_to_an_end(client, len(self.versions) - 1)

    def start(self, ways: tuple[str, ...]) -> Killable:
        self.proxy.answered = 0
        patience = ("--timeout", "0.5", "--tries", "6")
        source = ("--server", self.proxy.url, self.key)
        return Killable(self.log, ["get", *source, "-o", str(self.target), *patience, *ways])

    def wait_for(self, client: Killable, answered: int) -> None:
        """Until so many bytes have come through the proxy, or the client is done."""
        while self.proxy.answered < answered and client.is_alive:
            time.sleep(0.001)

    def come_to_an_end(self, client: Killable, since: int) -> None:
        """The client may only bring one of the versions ``since`` it began, or leave all alone."""
        code = client.end()
        self.forget_troubles()
        assert code in (None, Exit.OK, Exit.TEMPORARY), self.log.read_text()
        possible: list[bytes | None] = [version.content for version in self.versions[since:]]
        if code != Exit.OK and self.whole not in possible:
            possible = [*possible, self.whole]
        found = self.target.read_bytes() if self.target.exists() else None
        assert any(found == content for content in possible), self.described(found)
        self.whole = found

    def forget_troubles(self) -> None:
        self.proxy.digests = True
        self.proxy.cut_answers, self.proxy.stall_answers, self.proxy.refusals = [], [], []

    def described(self, found: bytes | None) -> str:
        if found is None:
            return f"there is nothing:\n{self.log.read_text()}"
        pieces = {
            number: sum(
                found[at : at + 1000] == version.content[at : at + 1000]
                for at in range(0, len(found), 1000)
            )
            for number, version in enumerate(self.versions)
        }
        return f"{len(found)} bytes, thousands of each version: {pieces}\n{self.log.read_text()}"

    @invariant()
    def what_is_told_to_be_there_is_there(self) -> None:
        """The state beside the target speaks of bytes of the version that it names."""
        part, state = (self.target.with_name(f"target.{end}") for end in ("part", "part.json"))
        if not part.exists() or not state.exists():
            return
        told = json.loads(state.read_text())
        data = part.read_bytes()
        for start, stop in told.get("have", []):
            (content,) = {one.content for one in self.versions if one.etag == told["etag"]}
            assert 0 <= start < stop <= told["size"] == len(content)
            assert data[start:stop] == content[start:stop]

    def teardown(self) -> None:
        """Once nothing goes wrong any more the download ends, and leaves nothing behind."""
        if self.versions:
            self.target.unlink(missing_ok=True)  # so that there is something to do
            assert self.start(()).end() == Exit.OK, self.log.read_text()
            assert self.target.read_bytes() == self.versions[-1].content
            assert os.listdir(self.folder) == ["target"]


@contextmanager
def proxied(server_url: str) -> Iterator[Proxy]:
    """A proxy in a thread of its own."""
    begun: Future[tuple[Proxy, Callable[[], object]]] = Future()

    async def serve() -> None:
        leave = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with proxy_to(server_url) as proxy:
            begun.set_result((proxy, partial(loop.call_soon_threadsafe, leave.set)))
            await leave.wait()

    with ThreadPoolExecutor(1) as thread:
        serving = thread.submit(asyncio.run, serve())
        proxy, end = begun.result(timeout=30)
        try:
            yield proxy
        finally:
            end()
            serving.result()


@pytest.mark.slow
@pytest.mark.timeout(300 + 20 * EXAMPLES)
def test_a_download_is_never_wrong(start_server: StartServer, tmp_path: Path) -> None:
    def start(port: int) -> RunningServer:
        return start_server(tmp_path / "data", port=port)

    class Here(Machine):
        place = Place(tmp_path, start)

    with proxied(Here.place.server.url) as proxy:
        proxy.rate = RATE
        Here.proxy = proxy
        run_state_machine_as_test(
            Here,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                # What fails depends on the moment: smaller cases are seldom found, and slowly.
                phases=set(Phase) - {Phase.shrink, Phase.explain},
                suppress_health_check=list(HealthCheck),
            ),
        )
