"""Lines from this machine to a namespace that stand until they are removed.

The device here and the namespace there have one name, ``netshapeN``; the device's alias says which
preset it is and which process will remove it. So there is no list that could be lost, and what a
killed process has left half made is known by having no alias.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.netshape.hosts import Host, check_possible, connect
from tools.netshape.shape import NoNamespaces, Shape, put_on, run

_LOCK = "/run/netshape.lock"
_NAME = re.compile(r"netshape(\d+)")
_MOST = 256


@dataclass(frozen=True)
class Standing:
    """A line. ``owner`` is the process that will remove it, with the time of its start; empty if
    that is left to ``down``. A line without ``preset`` is half made."""

    number: int
    preset: str = ""
    owner: str = ""

    @property
    def name(self) -> str:
        return f"netshape{self.number}"

    @property
    def address(self) -> str:
        """This machine's, as the other end sees it; of the network kept for measurements
        (RFC 2544, C.2.2)."""
        return f"198.18.{self.number}.1"

    @property
    def there(self) -> Host:
        return Host(self.name, f"198.18.{self.number}.2")

    @property
    def is_left_over(self) -> bool:
        """Nobody will remove it but us."""
        pid, _, started = self.owner.partition("/")
        return not self.preset or (bool(self.owner) and _started(int(pid)) != started)


def make(preset: str, shape: Shape, *, is_ours: bool) -> tuple[Standing, bool]:
    """A line, and whether it has all that ``shape`` asks for; see :func:`put_on`.

    With ``is_ours`` it belongs to this process: it is left over when that has ended.

    :raises NoNamespaces: there can be none here.
    """
    check_possible()
    with _alone():
        taken = {one.number for one in found()}
        number = next((number for number in range(_MOST) if number not in taken), None)
        if number is None:
            raise NoNamespaces("there are too many lines; remove some: netshape down")
        owner = f"{os.getpid()}/{_started(os.getpid())}" if is_ours else ""
        made = Standing(number, preset, owner)
        try:
            return made, _made(made, shape)
        except BaseException:
            _removed(made)
            raise


def remove(line: Standing) -> None:
    """Remove the line; its namespace too, once nothing runs in it any more."""
    with _alone():
        _removed(line)


def remove_left_over(*, all_idle: bool = False) -> list[Standing]:
    """Remove the lines of processes that have ended; with ``all_idle`` also those that were made
    to stand. Answers which they were."""
    check_possible()
    with _alone():
        gone = [one for one in found() if one.is_left_over or (all_idle and not one.owner)]
        for one in gone:
            _removed(one)
        return gone


def found() -> list[Standing]:
    """All lines there are, half made ones as well."""
    aliases = {one["ifname"]: one.get("ifalias", "") for one in _told("-details", "link", "show")}
    names = {*aliases, *(one["name"] for one in _told("netns", "list"))}
    lines = []
    for name in names:
        if match := _NAME.fullmatch(name):
            preset, _, owner = aliases.get(name, "").partition(" ")
            lines.append(Standing(int(match[1]), preset, owner))
    return sorted(lines, key=lambda one: one.number)


def _made(line: Standing, shape: Shape) -> bool:
    name = line.name
    run("ip", "netns", "add", name)
    run("ip", "link", "add", name, "type", "veth", "peer", "name", "line", "netns", name)
    connect(line.there, "line")
    run("ip", "address", "add", f"{line.address}/30", "dev", name)
    run("ip", "link", "set", name, "up")
    up = put_on("line", shape, within=name)
    down = put_on(name, shape)
    run("ip", "link", "set", "dev", name, "alias", f"{line.preset} {line.owner}".strip())
    return up and down


def _removed(line: Standing) -> None:
    """Whatever there is of it. The device goes first: the namespace may live on in a process."""
    if any(one["ifname"] == line.name for one in _told("link", "show")):
        run("ip", "link", "del", line.name)
    if any(one["name"] == line.name for one in _told("netns", "list")):
        run("ip", "netns", "del", line.name)


def _told(*words: str) -> list[dict[str, str]]:
    """What ``ip`` lists; it prints nothing at all where there are no namespaces."""
    told: list[dict[str, str]] = json.loads(run("ip", "-json", *words) or "[]")
    return told


def _started(pid: int) -> str:
    """When a process began, in ticks since the machine did (proc(5), field 22); empty if it has
    ended. A number alone could be another process by now."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return said.rpartition(")")[2].split()[19]


@contextmanager
def _alone() -> Iterator[None]:
    """No other process makes or removes lines meanwhile; the lock ends with a killed one."""
    fd = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
