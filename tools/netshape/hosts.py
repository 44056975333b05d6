"""Hosts and the slow lines between them: Linux network namespaces, veth pairs, ``tbf``.

::

    with line(PRESETS["4g"]) as link:
        server = subprocess.Popen(link.far.command("some", "server", "--host", link.far.address))
        client = subprocess.Popen(link.near.command("some", "client"))
        link.down()
        link.up()

The machine's own network is left as it is. It takes root and iproute2; ``netem`` is not needed.
"""

import itertools
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tools.netshape.shape import NoNamespaces, Shape, put_on, run

_numbers = itertools.count()


@dataclass(frozen=True)
class Host:
    """One end of the line."""

    namespace: str
    address: str

    def command(self, *words: str) -> list[str]:
        """The command that runs there what ``words`` say; the process is the program itself."""
        return ["ip", "netns", "exec", self.namespace, *words]


@dataclass(frozen=True)
class Link:
    """The line, from the client's side: what comes down to ``near``, goes up from there."""

    near: Host
    far: Host

    def down(self) -> None:
        """Cut it: nothing passes, and neither side is told by the other."""
        _ip("-n", self.far.namespace, "link", "set", "line", "down")

    def up(self) -> None:
        """Mend it."""
        _ip("-n", self.far.namespace, "link", "set", "line", "up")

    def came_down(self) -> int:
        """Bytes on the wire, headers included, that ``near`` received."""
        return self._counted("rx")

    def went_up(self) -> int:
        """Bytes on the wire, headers included, that ``near`` sent."""
        return self._counted("tx")

    def _counted(self, way: str) -> int:
        told = json.loads(_ip("-n", self.near.namespace, "-s", "-j", "link", "show", "line"))
        count: int = told[0]["stats64"][way]["bytes"]
        return count


@contextmanager
def line(shape: Shape) -> Iterator[Link]:
    """Two hosts for as long as the block runs; end the processes on them before it ends.

    :raises NoNamespaces: there can be none here.
    """
    check_possible()
    name = f"penstock-{os.getpid()}-{next(_numbers)}"
    # 198.18.0.0/15 is kept for measurements like these (RFC 2544, C.2.2).
    near, far = Host(f"{name}-near", "198.18.0.1"), Host(f"{name}-far", "198.18.0.2")
    made: list[Host] = []
    try:
        for host in (near, far):
            _ip("netns", "add", host.namespace)
            made.append(host)
        pair = ("type", "veth", "peer", "name", "line", "netns", far.namespace)
        _ip("-n", near.namespace, "link", "add", "line", *pair)
        for host in (near, far):
            connect(host, "line")
            put_on("line", shape, within=host.namespace)
        yield Link(near, far)
    finally:
        for host in made:
            _ip("netns", "del", host.namespace)


@contextmanager
def star(count: int) -> Iterator[list[Link]]:
    """One host in the middle, ``near`` of every link, and ``count`` around it, at full speed.

    :raises NoNamespaces: there can be none here.
    """
    check_possible()
    name = f"penstock-{os.getpid()}-{next(_numbers)}"
    made: list[str] = []
    try:
        for host in (f"{name}-hub", *(f"{name}-{number}" for number in range(count))):
            _ip("netns", "add", host)
            made.append(host)
        hub, *ends = made
        links = [
            Link(Host(hub, f"198.18.{number}.1"), Host(end, f"198.18.{number}.2"))
            for number, end in enumerate(ends)
        ]
        for number, link in enumerate(links):
            _span(link, f"line{number}")
        yield links
    finally:
        for host in made:
            _ip("netns", "del", host)


def connect(host: Host, device: str) -> None:
    """Give the host its address, and let it speak by ``device`` and to itself."""
    there = ("-n", host.namespace)
    _ip(*there, "address", "add", f"{host.address}/30", "dev", device)
    for name in ("lo", device):
        _ip(*there, "link", "set", name, "up")


def check_possible() -> None:
    """Whether there can be namespaces.

    :raises NoNamespaces: no.
    """
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("tc"):
        raise NoNamespaces("network namespaces need root and iproute2; on Debian: apt install it")


def _span(link: Link, near: str) -> None:
    """A veth pair: ``near`` in the hub, ``line`` at the other end."""
    pair = ("type", "veth", "peer", "name", "line", "netns", link.far.namespace)
    _ip("-n", link.near.namespace, "link", "add", near, *pair)
    connect(link.near, near)
    connect(link.far, "line")


def _ip(*words: str) -> str:
    return run("ip", *words)
