"""A whole cluster on this machine, without containers: ``make cluster``.

    python deploy/cluster.py [--dir penstock-cluster] [--port 8080] [--nodes 6]

Starts a database, a gateway and storage nodes, all below one folder, and passes on what they say,
each line with the name of its process before it. The database is PostgreSQL where that is
installed, else SQLite, and it says which. Ctrl-C (or SIGTERM) ends all of them in order. Started
again on the same folder it goes on with what is there.
"""

import argparse
import asyncio
import ctypes
import fcntl
import importlib.util
import json
import os
import pwd
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_LISTENS = " is listening on "
_PATIENCE = 60.0  # seconds
_STARTS = 3  # of PostgreSQL: another program may take the port before it does
_DEBIAN = Path("/usr/lib/postgresql")  # has a folder for each version, off the path
_PIECE = 64 << 10
_LONGEST = 1 << 20  # bytes of a line that are gathered before they are passed on
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class CannotStart(Exception):
    """What is wrong, and what to do."""


class Child:
    """A process of the cluster. What it says is passed on; it ends when this program does."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        variables: dict[str, str] | None = None,
        *,
        user: str | None = None,
        end: signal.Signals = signal.SIGTERM,
        patience: float = 40.0,
    ) -> None:
        self.name = name
        self.command = [str(word) for word in command]
        self._variables = variables or {}
        self._user = user
        self._end = end
        self._patience = patience
        self._process: asyncio.subprocess.Process | None = None
        self._passing: asyncio.Task[None] | None = None
        self.url: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Run it in a session of its own, so that Ctrl-C comes only to this program."""
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self._variables},
            user=self._user,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        assert self._process.stdout is not None
        self._passing = asyncio.create_task(self._pass_on(self._process.stdout))

    async def listening(self) -> str:
        """Wait until it says its URL.

        :raises CannotStart: it ended, or said nothing for a minute.
        """
        ended = asyncio.create_task(self.ended())
        either: list[asyncio.Future[Any]] = [self.url, ended]
        await asyncio.wait(either, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not self.url.done():
            raise CannotStart(f"{self.name} did not start; the lines above tell why")
        return self.url.result()

    async def ended(self) -> int:
        """Wait for its end; answers its exit code, or minus the signal that ended it."""
        assert self._process is not None
        assert self._passing is not None
        code = await self._process.wait()
        await asyncio.wait({self._passing}, timeout=1)
        return code

    async def stop(self) -> None:
        """End it in good order; after its time at once."""
        if self._process is None:
            return
        self._send(self._end)
        try:
            await asyncio.wait_for(self.ended(), self._patience)
        except TimeoutError:
            say(f"{self.name} does not end; it is killed")
            self.kill()
            await self.ended()

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _pass_on(self, stream: asyncio.StreamReader) -> None:
        gathered = b""
        while piece := await stream.read(_PIECE):
            *lines, gathered = (gathered + piece).split(b"\n")
            if len(gathered) > _LONGEST:
                lines, gathered = [*lines, gathered], b""
            for line in lines:
                self._heard(line.decode(errors="replace"))
        if gathered:
            self._heard(gathered.decode(errors="replace"))

    def _heard(self, line: str) -> None:
        print(f"{self.name:<8} | {line}", flush=True)
        if _LISTENS in line and not self.url.done():
            self.url.set_result(line.strip().partition(_LISTENS)[2])


class Postgres:
    """A PostgreSQL server for this cluster alone: on loopback, with a password of its own."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._data = folder / "postgres"
        self._password = folder / "postgres-password"
        self._programs = programs
        self._port = 0  # another one at each start
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root

    @property
    def url(self) -> str:
        """As SQLAlchemy has it."""
        return f"postgresql+psycopg://penstock:{_secret(self._password)}@127.0.0.1:{self._port}/postgres"

    def make(self) -> None:
        """Make its folder, if it is not there; one that was begun is made anew."""
        if self._data.exists():
            return
        begun = self._data.with_name("postgres.begun")
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir(mode=0o700)
        word = begun.with_name("postgres-password.begun")
        word.write_text(_secret(self._password))
        if self._user is not None:
            shutil.chown(begun, self._user)
            shutil.chown(word, self._user)
        options = [f"--pgdata={begun}", f"--pwfile={word}", "--username=penstock"]
        made = subprocess.run(
            [self._programs / "initdb", *options, "--auth=scram-sha-256", "--encoding=UTF8",
             "--locale=C"],
            capture_output=True, text=True, cwd="/", user=self._user,
        )  # fmt: skip
        word.unlink()
        if made.returncode:
            raise CannotStart(f"initdb: {made.stderr.strip()}")
        begun.rename(self._data)

    def child(self) -> Child:
        """The server, on a port that is free now."""
        self._port = _free_port()
        options = ["-D", str(self._data), "-p", str(self._port), "-c", "listen_addresses=127.0.0.1"]
        return Child(
            "postgres",
            [self._programs / "postgres", *options, "-c", "unix_socket_directories="],
            user=self._user,
            end=signal.SIGINT,  # "fast": connections are ended, nothing is lost
        )

    async def answers(self, child: Child) -> bool:
        """Wait until it takes connections; answers whether it does, and has not ended instead.

        :raises CannotStart: neither within a minute.
        """
        url = self.url.replace("+psycopg", "")
        ended = asyncio.create_task(child.ended())
        try:
            for _ in range(int(_PATIENCE / 0.2)):
                if await asyncio.to_thread(_connects, url):
                    return True
                if (await asyncio.wait({ended}, timeout=0.2))[0]:
                    return False
        finally:
            ended.cancel()
        raise CannotStart("PostgreSQL takes no connections; the lines above may tell why")


class Cluster:
    """All processes, in the order in which they are started."""

    def __init__(self, folder: Path, port: int, nodes: int) -> None:
        self._folder = folder
        self._port = port
        self._count = nodes
        self._started: list[Child] = []
        self._ending = asyncio.Event()
        self._failed = False
        self._watching: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Until a signal, or the end of a process that the others need; answers the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
                loop.add_signal_handler(number, self._signalled)
        starting = asyncio.create_task(self._start())
        ending = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await ending
        finally:
            starting.cancel()
            ending.cancel()
            await asyncio.wait({starting})
            await self._stop()
        return int(self._failed)

    async def _start(self) -> None:
        secret = _secret(self._folder / "secret")
        catalog = await self._database()
        gateway = Child(
            "gateway",
            [sys.executable, "-m", "penstock", "serve"],
            {
                # So that one node may be away, and files are stored all the same.
                "PENSTOCK_CLUSTER_MIN_NODES": os.environ.get(
                    "PENSTOCK_CLUSTER_MIN_NODES", str(min(2, self._count))
                ),
                "PENSTOCK_DATA": str(self._folder / "gateway"),
                "PENSTOCK_STORE": "cluster://",
                "PENSTOCK_CATALOG": catalog,
                "PENSTOCK_PORT": str(self._port),
                "PENSTOCK_CLUSTER_SECRET": secret,
            },
        )
        await self._begin(gateway, needed=True)
        url = await gateway.listening()
        for number in range(1, self._count + 1):
            await self._begin(self._node(f"node-{number}", url, secret), needed=False)
        self._tell(url, await self._live(url))

    def _node(self, name: str, locator: str, secret: str) -> Child:
        """A node, on the port that it had before."""
        kept = self._folder / f"{name}.port"
        command = [sys.executable, "-m", "penstock", "node", "--data", str(self._folder / name)]
        child = Child(
            name,
            [*command, "--locator", locator, "--port", str(_port_of(kept))],
            {"PENSTOCK_CLUSTER_SECRET": secret},
        )

        def keep(url: asyncio.Future[str]) -> None:
            child.command[-1] = str(urlsplit(url.result()).port)
            kept.write_text(f"{child.command[-1]}\n")

        child.url.add_done_callback(keep)
        return child

    async def _database(self) -> str:
        """Start it; answers the URL of the catalog, which is empty for SQLite in DATA."""
        programs = _programs_for(self._folder)
        if programs is None:
            return ""
        server = Postgres(self._folder, programs)
        await asyncio.to_thread(server.make)
        for start in range(_STARTS):
            if start:
                say("PostgreSQL has ended; it is started again, on another port")
            child = server.child()
            await self._run(child)
            if await server.answers(child):
                self._watch(self._look_after(child, needed=True))
                return server.url
        raise CannotStart("PostgreSQL did not start; the lines above tell why")

    async def _begin(self, child: Child, *, needed: bool) -> None:
        await self._run(child)
        self._watch(self._look_after(child, needed))

    async def _run(self, child: Child) -> None:
        await child.start()
        self._started.append(child)

    async def _look_after(self, child: Child, needed: bool) -> None:
        code = await child.ended()
        if self._ending.is_set():
            return
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        say(f"{child.name} has ended {how}")
        if needed:
            say("nothing works without it: the others are ended too")
            self._failed = True
            self._ending.set()
        else:
            word = self._folder / "secret"
            say(f"start it again in another terminal, or repair goes on without it:\n"
                f"  PENSTOCK_CLUSTER_SECRET=$(cat {shlex.quote(str(word))}) "
                f"{shlex.join(child.command)}")  # fmt: skip

    async def _live(self, url: str) -> int:
        """How many nodes are live, once all are or a minute is over."""
        nodes = [child for child in self._started if child.name.startswith("node-")]
        live = 0
        for _ in range(int(_PATIENCE / 0.5)):
            # The catalog may have those of a while ago, so their addresses count.
            here = {child.url.result().partition("://")[2] for child in nodes if child.url.done()}
            live = len(here & await asyncio.to_thread(_live_addresses, url))
            if live >= self._count:
                break
            await asyncio.sleep(0.5)
        return live

    def _tell(self, url: str, live: int) -> None:
        penstock = Path(sys.executable).with_name("penstock")
        server = "" if url.endswith(":8080") else f" --server {url}"
        nodes = [child for child in self._started if child.name.startswith("node-")]
        say(
            f"{live} of {self._count} storage nodes are live; the gateway is {url}\n"
            f"  put a file:         curl -T photo.jpg {url}/v1/files/photo.jpg\n"
            f"  get it:             curl -o copy.jpg {url}/v1/files/photo.jpg\n"
            f"  how the nodes are:  {penstock} nodes ls{server}\n"
            f"  have one die:       kill -9 {nodes[0].pid}    (that is {nodes[0].name})\n"
            f"  everything is in {self._folder}; Ctrl-C ends it"
        )

    def _signalled(self) -> None:
        if not self._ending.is_set():
            self._ending.set()
            return
        for child in self._started:
            child.kill()

    async def _stop(self) -> None:
        """In the other order than started: nobody is left without what it needs."""
        self._ending.set()
        say("ending")
        groups: dict[str, list[Child]] = {"gateway": [], "node": [], "postgres": []}
        for child in self._started:
            groups[child.name.partition("-")[0]].append(child)
        for group in groups.values():
            await asyncio.gather(*(child.stop() for child in group))
        if self._watching:
            await asyncio.wait(self._watching)
        say("ended")

    def _watch(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)


def say(text: str) -> None:
    """A line of this program's own."""
    for line in text.splitlines():
        print(f"{'cluster':<8} | {line}", flush=True)


def _live_addresses(url: str) -> set[str]:
    with suppress(OSError), urllib.request.urlopen(f"{url}/v1/nodes", timeout=5) as answer:
        nodes = json.load(answer)["nodes"]
        return {node["address"] for node in nodes if node["state"] == "live" and node["silent"] < 2}
    return set()


def _secret(path: Path) -> str:
    """The random word in a file that only its owner reads; made at the first time."""
    with suppress(FileExistsError):
        begun = path.with_name(f"{path.name}.begun")
        begun.unlink(missing_ok=True)
        with open(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        os.link(begun, path)
    path.with_name(f"{path.name}.begun").unlink(missing_ok=True)
    return path.read_text().strip()


def _programs_for(folder: Path) -> Path | None:
    """The folder of PostgreSQL's programs, or ``None`` if it is to be SQLite, which is said.

    :raises CannotStart: this cluster has its catalog in PostgreSQL, and that is gone.
    """
    if (folder / "gateway" / "catalog.sqlite").exists():
        say("the catalog is SQLite, as it was when this folder was made")
        return None
    programs, missing = _look_for_programs(folder)
    if programs is not None:
        say(f"the catalog is PostgreSQL in {folder / 'postgres'}")
        return programs
    if (folder / "postgres").exists():
        raise CannotStart(f"the catalog of this folder is PostgreSQL, but {missing}")
    say(f"the catalog is SQLite, since {missing}")
    return None


def _look_for_programs(folder: Path) -> tuple[Path | None, str]:
    """Where they are, or why they are of no use."""
    installed = _installed()
    made_by = _version_of(folder / "postgres")
    if made_by is not None and made_by not in installed:
        # Another version does not read it.
        return None, f"PostgreSQL {made_by}, which made it, is not installed"
    if not installed:
        return None, "PostgreSQL is not installed (initdb was not found)"
    if importlib.util.find_spec("psycopg") is None:
        return None, "psycopg is not installed (pip install 'penstock[postgres]')"
    if os.geteuid() == 0 and (why := _shut_to_postgres(folder)):
        return None, why
    return installed[max(installed) if made_by is None else made_by], ""


def _installed() -> dict[int, Path]:
    """The folders of PostgreSQL's programs by major version; clients alone do not count."""
    found = {}
    if (on_path := shutil.which("initdb")) is not None:
        told = subprocess.run([on_path, "--version"], capture_output=True, text=True).stdout
        if version := re.search(r"\(PostgreSQL\) (\d+)", told):
            found[int(version[1])] = Path(on_path).parent
    for initdb in _DEBIAN.glob("*/bin/initdb"):
        if (name := initdb.parents[1].name).isdecimal():
            found[int(name)] = initdb.parent
    return found


def _version_of(data: Path) -> int | None:
    """The major version of PostgreSQL that made its folder; ``None`` if there is none."""
    with suppress(FileNotFoundError):
        return int((data / "PG_VERSION").read_text().partition(".")[0])
    return None


def _shut_to_postgres(folder: Path) -> str:
    """Why PostgreSQL, which does not run as root, cannot use the folder; empty if it can."""
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        return "PostgreSQL does not run as root and there is no user postgres"
    if subprocess.run(["test", "-x", folder], user="postgres").returncode:
        return f"the user postgres, as whom PostgreSQL runs under root, cannot enter {folder}"
    return ""


def _connects(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _port_of(path: Path) -> int:
    """The port written there, so that whoever knows a node finds no other one; else 0, any."""
    with suppress(OSError, ValueError):
        return _free_port(int(path.read_text()))
    return 0


def _free_port(wanted: int = 0) -> int:
    """:raises OSError: that one is not free."""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", wanted))
        port: int = free.getsockname()[1]
        return port


def _end_with_parent() -> None:
    """In the child: be ended by the kernel if this program is killed (prctl(2))."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _locked(folder: Path) -> Callable[[], None]:
    """Hold the folder, so that it has one cluster at a time; answers what lets it go.

    :raises CannotStart: another one has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise CannotStart(f"a cluster runs in {folder} already") from None
    return lambda: os.close(lock)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dir", type=Path, default=Path("penstock-cluster"), help="for everything")
    parser.add_argument("--port", type=int, default=8080, help="of the gateway; 0 is a free one")
    parser.add_argument("--nodes", type=int, default=6, help="how many storage nodes there are")
    options = parser.parse_args()
    if options.nodes < 1:
        parser.error("--nodes: at least 1")
    folder = options.dir.resolve()

    async def run() -> int:
        return await Cluster(folder, options.port, options.nodes).run()

    try:
        let_go = _locked(folder)
        try:
            return asyncio.run(run())
        finally:
            let_go()
    except CannotStart as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
