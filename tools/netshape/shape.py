"""What a line is like, and how ``tc`` is told it."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass


class NoNamespaces(Exception):
    """This machine does not let us have such lines; the text says why."""


@dataclass(frozen=True)
class Shape:
    """A token bucket filter, the same in both directions of a line (tc-tbf(8)), and what ``netem``
    adds to it in each (tc-netem(8)).

    ``rate`` is bits per second, ``burst`` bits, ``latency`` the milliseconds that a packet may
    wait before it is dropped. ``delay`` is milliseconds, ``loss`` per cent of the packets.
    """

    rate: int
    burst: int
    latency: int
    delay: float = 0
    loss: float = 0

    @property
    def bytes_per_second(self) -> float:
        return self.rate / 8

    def __str__(self) -> str:
        return " ".join(self.tbf())

    def tbf(self) -> list[str]:
        """As ``tc`` takes it."""
        bucket = ["rate", _rate(self.rate), "burst", _size(self.burst)]
        return ["tbf", *bucket, "latency", f"{self.latency}ms"]

    def netem(self) -> list[str]:
        """As ``tc`` takes it; empty if there is neither delay nor loss."""
        delay = ["delay", f"{self.delay:g}ms"] if self.delay else []
        loss = ["loss", f"{self.loss:g}%"] if self.loss else []
        return ["netem", *delay, *loss] if delay or loss else []


PRESETS = {
    "wifi": Shape(10_000_000, 256 << 10, 50),
    "4g": Shape(2_000_000, 128 << 10, 200),
    "3g": Shape(500_000, 64 << 10, 600),
    "very-bad": Shape(300_000, 32 << 10, 800),
}
"""Those of stream-download: "Wi-Fi normal", "4G lambat", "3G", "Jaringan sangat buruk"."""

Act = Callable[..., str]
"""Runs a command; answers what it printed."""


def put_on(device: str, shape: Shape, *, within: str = "", act: Act | None = None) -> bool:
    """Shape what leaves by ``device``, of the namespace ``within`` unless that is empty.

    Answers whether all of it could be had: without ``netem`` in the kernel it is the rate alone.

    :raises NoNamespaces: ``tc`` refuses; there may be a line already.
    """
    add = ["tc", *(["-n", within] if within else []), "qdisc", "add", "dev", device]
    act = act or run
    if netem := shape.netem():
        try:
            act(*add, "root", "handle", "1:", *netem)
        except NoNamespaces as why:
            if "kind is unknown" not in str(why):
                raise
        else:
            act(*add, "parent", "1:1", "handle", "2:", *shape.tbf())
            return True
    act(*add, "root", *shape.tbf())
    return not netem


def take_off(device: str, *, act: Act | None = None) -> None:
    """Let ``device`` be as it was.

    :raises NoNamespaces: it has no shape, or one that is none of ours.
    """
    act = act or run
    act("tc", "qdisc", "del", "dev", device, "root")


def run(*words: str) -> str:
    """Run a command; answers what it printed.

    :raises NoNamespaces: it fails, with what it said.
    """
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NoNamespaces(f"{words[0]} is missing; on Debian: apt install iproute2") from None
    if done.returncode:
        raise NoNamespaces(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def show(*words: str) -> str:
    """In place of :func:`run`: only tell what it would run."""
    sys.stdout.write(" ".join(words) + "\n")
    return ""


def _rate(bits: int) -> str:
    """``tc`` counts rates in thousands …"""
    for unit, name in ((1_000_000, "mbit"), (1000, "kbit")):
        if bits % unit == 0:
            return f"{bits // unit}{name}"
    return f"{bits}bit"


def _size(bits: int) -> str:
    """… and sizes in 1,024s."""
    return f"{bits >> 10}kbit" if bits % 1024 == 0 else f"{bits // 8}b"
