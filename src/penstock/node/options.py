"""What a storage node is told when it is started."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of a node; sizes are bytes, times are seconds.

    ``locators`` are the servers that are told every ``interval`` that the node lives, and
    ``advertise`` is where it can be reached, if that is not where it listens. ``secret`` is what
    it and they know each other by. ``threads`` is how many files are written to at once.
    """

    folder: Path = Path("penstock-node")
    locators: tuple[str, ...] = ()
    advertise: str = ""
    secret: str = field(default="", repr=False)
    interval: float = 1.0
    threads: int = 16
    host: str = "127.0.0.1"
    port: int = 8201
    max_transfers: int = 512
    max_ranges: int = 32
    # More than clients keep a connection for, so that they never send into one that is closed.
    idle_timeout: float = 75.0
    stall_timeout: float = 60.0
    shutdown_timeout: float = 30.0
    log_format: str = "auto"
    log_level: str = "info"
