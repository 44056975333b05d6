"""What a relay is told when it is started."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of a relay; sizes are bytes, times are seconds.

    ``headers`` go with every request to the ``upstream``; they are its credentials and no
    business of anybody else. ``parallel`` is how many connections bring one file, ``max_age`` how
    long a stored file is sent without asking whether it is still the upstream's, ``cache_size``
    how much all stored files may have together. ``timeout`` and ``tries`` are the client's.
    Callers have to know ``access_token``, if there is one; ``is_open``: none is meant to be needed.
    """

    upstream: str
    folder: Path = Path("penstock-relay")
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    parallel: int = 4
    max_age: float = 0.0
    cache_size: int = 10 * GIB
    timeout: float = 60.0
    tries: int = 8
    access_token: str = field(default="", repr=False)
    is_open: bool = False
    host: str = "127.0.0.1"
    port: int = 8888
    max_transfers: int = 512
    max_ranges: int = 32
    idle_timeout: float = 15.0
    stall_timeout: float = 60.0
    shutdown_timeout: float = 30.0
    log_format: str = "auto"
    log_level: str = "info"
