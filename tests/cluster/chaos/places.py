"""Where the nodes of a trial are: on disks of their own, on hosts of their own, where root may."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.chaos.within import SocketFactory, sockets_within
from tests.serving import RunningNode
from tools.netshape.hosts import Link, star
from tools.netshape.shape import NoNamespaces

DISK = 256 << 20


@dataclass
class Place:
    """One node's folder, and its process while there is one. ``link`` is its line to the gateway,
    if it has one of its own; ``disk`` its file system, if that is its own."""

    number: int
    data: Path
    secret: str
    link: Link | None = None
    disk: Path | None = None
    locator: str = ""
    node: RunningNode | None = None
    port: int = 0

    @property
    def id(self) -> str:
        """Who the node says that it is."""
        return (self.data / "node-id").read_text().strip()

    @property
    def files(self) -> Path:
        return self.data / "files"

    def names(self) -> set[str]:
        """What lies there."""
        return {path.name for path in self.files.iterdir() if path.is_file()}

    def start(self) -> None:
        """On its host always at the same port; beside others at any that is free."""
        within = () if self.link is None else self.link.far.command()
        host = "127.0.0.1" if self.link is None else self.link.far.address
        self.node = RunningNode(
            self.data,
            within,
            port=self.port,
            locator=self.locator,
            secret=self.secret,
            host=host,
        )
        if self.link is not None:
            self.port = self.node.port

    def kill(self) -> None:
        if self.node is not None:
            self.node.kill()
            self.node = None


@dataclass
class Ground:
    """Where gateway and nodes run. ``within`` is the command that runs the gateway where it is to
    be, ``make`` makes sockets that reach it. ``missing`` says what could not be had."""

    within: Sequence[str] = ()
    host: str = "127.0.0.1"
    links: list[Link] = field(default_factory=list)
    disks: list[Path] = field(default_factory=list)
    make: SocketFactory | None = None
    missing: list[str] = field(default_factory=list)

    def place(self, number: int, folder: Path, secret: str) -> Place:
        disk = self.disks[number] if self.disks else None
        link = self.links[number] if self.links else None
        return Place(number, (disk or folder) / f"node{number}", secret, link, disk)

    def locator(self, place: Place, port: int) -> str:
        host = "127.0.0.1" if place.link is None else place.link.near.address
        return f"http://{host}:{port}"


@contextmanager
def ground(folder: Path, count: int) -> Iterator[Ground]:
    """Room for ``count`` nodes; as much of their own as this machine lets us give them."""
    found = Ground()
    with ExitStack() as stack:
        try:
            found.links = stack.enter_context(star(count))
            hub = found.links[0].near
            found.within, found.host = hub.command(), "0.0.0.0"
            found.make = stack.enter_context(sockets_within(hub.namespace))
        except NoNamespaces as why:
            found.links = []
            found.missing.append(f"no node was cut off: {why}")
        disks = [folder / f"disk{number}" for number in range(count)]
        if all(stack.enter_context(_mounted(disk)) for disk in disks):
            found.disks = disks
        else:
            found.missing.append(
                "no disk was filled: only root, where it may mount, makes small ones"
            )
        yield found


@contextmanager
def _mounted(place: Path) -> Iterator[bool]:
    """A file system of ``DISK`` bytes; answers whether there can be one."""
    place.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "penstock-test", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
